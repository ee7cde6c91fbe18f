/** What users ask, for tests that ask it in every way there is: nothing may differ. */
import type { Finished } from './midclt.js';

export interface Row {
  readonly args: readonly string[];
  /** Is given to the command. */
  readonly stdin?: string;
}

export const TABLE: readonly Row[] = [
  { args: ['ping'] },
  { args: ['call', 'core.ping'] },
  { args: ['call', 'system.ready'] },
  { args: ['call', 'system.version'] },
  { args: ['call', 'test.ints'] },
  { args: ['call', 'test.types'] },
  { args: ['call', 'test.echo', '18446744073709551615', '2.0', 'NaN', '-5', 'x y', '"\\ud83d"'] },
  { args: ['call', 'test.echo', '-', '-'], stdin: '{"b": [1.0,\n 2], "a": "é"}\n' },
  { args: ['call', 'test.raw', '"a\\u00e9\\ud83d\\ude00\\ud83d"'] },
  { args: ['call', 'test.raw', 'false'] },
  { args: ['call', 'test.raw', '[1,  2 ]'] },
  { args: ['call', 'test.bigstring', '300000'] },
  { args: ['call', 'test.fail', '2', 'some reason', '{"a": 1}'] },
  { args: ['call', '-q', 'test.fail', '2', 'some reason'] },
  { args: ['call', 'test.validation'] },
  { args: ['call', 'test.validation', 'true'] },
  { args: ['call', 'test.raise_', 'notfound'] },
  { args: ['call', 'test.raise_', 'exception'] },
  { args: ['call', 'test.unserializable'] },
  { args: ['call', 'nosuch.method'] },
  // Long enough to be late for sure; it has a slot of the daemon's until it ends.
  { args: ['-t', '4', 'call', 'test.sleep', '12'] },
  { args: ['call', '-j', 'test.job', '2', '0.05'] },
  { args: ['call', '-j', '-jp', 'description', 'test.job', '2', '0.05'] },
  { args: ['call', '-j', 'test.job', '1', '0.05', 'callerror'] },
  { args: ['call', '-j', 'test.job', '1', '0.05', 'validation'] },
  // Who is slow to follow it misses a step, or all of it.
  { args: ['call', '-j', '-jp', 'description', 'test.job_transient', '2', '1.5', 'null', 'kept'] },
  { args: ['call', '-j', 'core.ping'] },
  { args: ['call', 'test.echo', 'x'.repeat(70_000)] },
  { args: ['call'] },
  { args: ['call', '--nosuch', 'x'] },
];

/** Asks the rows of the table three at a time, the last one first: those near the end wait most of their time. */
export async function eachRow(ask: (row: Row, index: number) => Promise<void>): Promise<void> {
  const queue = [...TABLE.entries()];
  const work = async () => {
    for (let next; (next = queue.pop()) !== undefined;) await ask(next[1], next[0]);
  };
  await Promise.all([1, 2, 3].map(work));
}

/** What must not differ. The length of a request depends on the number of the call before it. */
export function same({ code, stdout, stderr }: Finished): object {
  return {
    ...{ code, stdout },
    // Of progress that comes at once, only the newest is told.
    stderr: stderr
      .replace(/Request of \d+/, 'Request of N')
      .replace(/^(?:Status: .*\n)+(?=Status: )/gm, ''),
  };
}
