/**
 * The certificates that are trusted for a host, each the only one that is accepted there; a file that people edit, beside
 * the profiles:
 *
 *     nas.example       sha256:8F:03:…
 *     192.168.1.5:8443  sha256:C2:99:…  # the old one
 */
import { MidcltError } from '../errors.js';
import { editKept, readKept } from './kept.js';
import { pinsPath } from './paths.js';

/** What the file is for, in messages. */
const WHAT = 'trusted certificates';
const BEGINNING = `# The certificate that each host must show: HOST[:PORT] sha256:FINGERPRINT. 'midclt trust HOST' adds one.
`;

interface Line {
  readonly text: string;
  /** Null: it is empty, or says nothing but a comment. */
  readonly pin: Pin | null;
}

export interface Pin {
  /** With its port unless that is 443. */
  readonly host: string;
  /** SHA-256, as Node writes it: `8F:03:…`. */
  readonly fingerprint: string;
}

/** Any of the ways in which people and programs write a SHA-256, as Node does; null for what is none. */
export function fingerprintOf(text: string): string | null {
  const digits = text
    .trim()
    .replace(/^sha-?256(?: fingerprint)?\s*[:=]/i, '')
    .replace(/[\s:]/g, '');
  if (!/^[0-9a-f]{64}$/i.test(digits)) return null;
  return digits.toUpperCase().replace(/..(?=.)/g, '$&:');
}

/** The fingerprint of what the host must show; null: whatever authorities vouch for. Throws a `FILES` or `REQUEST` error. */
export function pinOf(host: string): string | null {
  let file: string;
  try {
    file = pinsPath();
  } catch {
    return null; // there is no home, where one could be kept
  }
  return readPins(file).find((pin) => pin.host === host)?.fingerprint ?? null;
}

/** Throws a `FILES` error for a file that can't be read or trusted, `REQUEST` for one that says something else. */
export function readPins(file: string): Pin[] {
  return linesOf(file).flatMap(({ pin }) => pin ?? []);
}

/** In the place of what is trusted there. Rejects as {@link readPins}. */
export async function addPin(file: string, { host, fingerprint }: Pin): Promise<void> {
  await editKept(file, WHAT, () => {
    const lines = linesOf(file);
    const line = `${host} sha256:${fingerprint}`;
    const isThere = lines.some(({ pin }) => pin?.host === host);
    if (isThere) return textOf(lines.map(({ pin, text }) => (pin?.host === host ? line : text)));
    const before = lines.length === 0 ? BEGINNING : textOf(lines.map(({ text }) => text));
    return `${before}${line}\n`;
  });
}

/** Rejects as {@link readPins}. */
export async function removePin(file: string, host: string): Promise<void> {
  await editKept(file, WHAT, () =>
    textOf(linesOf(file).flatMap(({ pin, text }) => (pin?.host === host ? [] : [text]))),
  );
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

function linesOf(file: string): Line[] {
  const text =
    readKept(file, WHAT)
      ?.replace(/^\uFEFF/, '')
      .trimEnd() ?? '';
  const hosts = new Set<string>();
  return (text === '' ? [] : text.split(/\r?\n/)).map((line, index) => {
    const words = line.replace(/#.*/, '').trim().split(/\s+/);
    if (words[0] === '') return { text: line, pin: null };
    const [name = '', word = '', more] = words;
    const host = name.toLowerCase().replace(/:443$/, '');
    const fingerprint = fingerprintOf(word);
    // A pin that is passed over would be none.
    if (fingerprint === null || more !== undefined || hosts.has(host)) {
      const why = hosts.has(host) ? `names ${host} again` : `is not 'HOST sha256:FINGERPRINT'`;
      throw new MidcltError('REQUEST', `Line ${index + 1} of ${file} ${why}`);
    }
    hosts.add(host);
    return { text: line, pin: { host, fingerprint } };
  });
}
