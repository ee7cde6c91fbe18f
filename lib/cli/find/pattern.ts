/** Which names a pattern means, and which are near one that does not exist. */

/** A test of names: a glob (`*`, `?`, `[abc]`) is for the whole of one, anything else may stand anywhere in it. */
export function matcher(pattern: string): (name: string) => boolean {
  if (!isGlob(pattern)) {
    const word = pattern.toLowerCase();
    return (name) => name.toLowerCase().includes(word);
  }
  const whole = expressionOf(pattern);
  return (name) => whole.test(name);
}

export function isGlob(pattern: string): boolean {
  return /[*?]|\[[^\]]+\]/.test(pattern);
}

function expressionOf(glob: string): RegExp {
  const source = glob.replace(
    /\*+|\?|\[([!^]?)([^\]]+)\]|[^]/g,
    (part, not?: string, set?: string) => {
      if (part.startsWith('*')) return '.*';
      if (part === '?') return '.';
      if (set === undefined) return literally(part);
      return `[${not ? '^' : ''}${set.replace(/[\\^]/g, '\\$&')}]`;
    },
  );
  try {
    return new RegExp(`^${source}$`, 'i');
  } catch {
    return /^(?!)/; // a range from a later letter to an earlier one has no letters
  }
}

function literally(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&');
}

/** How many near names are told. */
const MOST_NEAR = 3;
/** Characters of the longest name that others are compared with. */
const LONGEST = 100;

/** The names that somebody may have meant who typed this one, the nearest first; `most` is how far they may be. */
export function nearNames(
  typed: string,
  names: readonly string[],
  most = Math.max(2, Math.floor(typed.length / 4)),
): string[] {
  const name = typed.toLowerCase();
  if (name === '' || name.length > LONGEST) return [];
  const found: [distance: number, name: string][] = [];
  for (const each of names) {
    if (Math.abs(each.length - name.length) > most) continue;
    const distance = distanceOf(name, each.toLowerCase());
    if (distance <= most) found.push([distance, each]);
  }
  found.sort(([a], [b]) => a - b);
  return found.slice(0, MOST_NEAR).map(([, each]) => each);
}

/** The names as a question; null where there are none. */
export function didYouMean(names: readonly string[]): string | null {
  const last = names.at(-1);
  if (last === undefined) return null;
  const others = names.slice(0, -1).join(', ');
  return `Did you mean ${others ? `${others} or ${last}` : last}?`;
}

/** How many letters to change, add, leave out, or swap with their neighbours. */
function distanceOf(a: string, b: string): number {
  let [before, last]: [number[], number[]] = [
    [],
    Array.from({ length: b.length + 1 }, (_, j) => j),
  ];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const changed = (last[j - 1] ?? 0) + (isSame ? 0 : 1);
      let least = Math.min(changed, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwapped) least = Math.min(least, (before[j - 2] ?? 0) + 1);
      row.push(least);
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
