/** The members of a request of the daemon's socket. */
import { MidcltError } from '../errors.js';

/** All there are, as docs/PROTOCOL.md has them. */
const KNOWN: readonly string[] = [
  'command',
  'method',
  'params',
  'kwargs',
  'timeout',
  'id',
  'close',
  'keep',
  'if_idle',
  'version',
  'protocol',
  'job_id',
  'not_sent',
  'insecure',
  'args',
  'terminal',
];

/** Letters that a misspelt name may differ in. */
const SLIPS = 2;

/** Throws a `REQUEST` error for a member that does not exist: run without it, the request would do something else. */
export function refuseUnknown(names: Iterable<string>): void {
  for (const name of names) {
    if (KNOWN.includes(name)) continue;
    const near = KNOWN.filter((known) => distance(name.slice(0, 50).toLowerCase(), known) <= SLIPS);
    const hint =
      near.length > 0
        ? `did you mean ${near.map((each) => `'${each}'`).join(' or ')}?`
        : `known: ${KNOWN.join(', ')}`;
    throw new MidcltError('REQUEST', `Unknown member '${name.slice(0, 50)}' (${hint})`, {
      errorType: 'TypeError',
    });
  }
}

/** Letters to be put in, left out or changed to make one of the other. */
function distance(one: string, other: string): number {
  let above = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row++) {
    const line = [row];
    for (let column = 1; column <= other.length; column++) {
      const change = one[row - 1] === other[column - 1] ? 0 : 1;
      const least = Math.min(
        (above[column - 1] ?? 0) + change,
        (above[column] ?? 0) + 1,
        (line[column - 1] ?? 0) + 1,
      );
      line.push(least);
    }
    above = line;
  }
  return above[other.length] ?? 0;
}
