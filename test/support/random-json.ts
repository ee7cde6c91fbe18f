/** Random texts of Python's JSON, in any spelling a peer might use, and what takes them. */
import { Scan, type Verdict } from '../../lib/json/members.js';

/** Is it JSON, by Node's own reader? */
export function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What the scanner makes of it, so many bytes at a time. */
export function verdictOf(text: string, bytes = Infinity): Verdict {
  const scan = new Scan(Buffer.from(text));
  for (;;) {
    const verdict = scan.step(bytes);
    if (verdict !== 'unfinished') return verdict;
  }
}

/** Reproducible by its seed, which `MIDCLT_TEST_SEED` sets. */
export function seededRandom(): { random: () => number; seed: number } {
  const seed = Number(process.env.MIDCLT_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
  return { random: randomOf(seed), seed };
}

/** Numbers in [0, 1) that a seed determines (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SCALARS = [
  ...['null', 'true', 'false', 'NaN', 'Infinity', '-Infinity', '0', '-0', '-0.0', '2.0', '1e+16'],
  ...['18446744073709551615', '1E400', '1e-05', '123456789012345678901234567890'],
];
const PIECES = [
  'a',
  'é',
  '😀',
  '\\ud83d',
  '\\n',
  '\\"',
  '\\\\',
  '\\u0000',
  ' ',
  '{',
  ']',
  ',',
  '\u2028',
];
const SPACES = ['', '', '', ' ', '  ', '\t'];

export function randomText(random: () => number, depth = 4): string {
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
  const space = () => pick(SPACES);
  const text = () => `"${Array.from({ length: random() * 6 }, () => pick(PIECES)).join('')}"`;
  const value = (left: number): string => {
    const kind = random();
    if (left === 0 || kind < 0.3) return pick(SCALARS);
    if (kind < 0.5) return text();
    const items = Array.from({ length: random() * 4 }, () =>
      kind < 0.75
        ? `${space()}${value(left - 1)}${space()}`
        : `${space()}${text()}${space()}:${space()}${value(left - 1)}${space()}`,
    ).join(',');
    return kind < 0.75 ? `[${items || space()}]` : `{${items || space()}}`;
  };
  return space() + value(depth) + space();
}
