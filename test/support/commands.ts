/** What users ask, for tests that ask it in every way there is: nothing may differ. */
import type { Finished } from './midclt.js';

/** `stdin` is given to the command. */
export const TABLE: readonly { readonly args: readonly string[]; readonly stdin?: string }[] = [
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
  { args: ['-t', '2', 'call', 'test.sleep', '30'] },
  { args: ['call', '-j', 'test.job', '2', '0.05'] },
  { args: ['call', '-j', '-jp', 'description', 'test.job', '2', '0.05'] },
  { args: ['call', '-j', 'test.job', '1', '0.05', 'callerror'] },
  { args: ['call', '-j', 'test.job', '1', '0.05', 'validation'] },
  { args: ['call', '-j', '-jp', 'description', 'test.job_transient', '2', '0.1', 'null', 'kept'] },
  { args: ['call', '-j', 'core.ping'] },
  { args: ['call', 'test.echo', 'x'.repeat(70_000)] },
  { args: ['call'] },
  { args: ['call', '--nosuch', 'x'] },
];

/** The length of a request depends on the number of the call before it. */
export function same({ code, stdout, stderr }: Finished): object {
  return { code, stdout, stderr: stderr.replace(/Request of \d+/, 'Request of N') };
}
