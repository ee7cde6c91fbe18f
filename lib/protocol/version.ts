/** Which of two versions of this program is the older. */

/** By the three numbers; what has none is no version of this program. */
export function isOlder(version: string, than: string): boolean {
  const numbers = (text: string) => (/^(\d+)\.(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
  const [one, other] = [numbers(version), numbers(than)];
  const first = one.findIndex((number, i) => number !== other[i]);
  return first !== -1 && (one[first] ?? 0) < (other[first] ?? 0);
}
