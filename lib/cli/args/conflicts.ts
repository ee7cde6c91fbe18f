/** Options that make no sense together. */
import { MAX_FILES } from '../../protocol/frames.js';
import type { Arguments } from './arguments.js';

const STDIN = '-';

/** What is wrong with options that make no sense together, for a line about the usage; or null. */
export function conflictOf(args: Arguments): string | null {
  const { password, passwordFile, apiKey, useDaemon } = args;
  if (password !== null && passwordFile !== null) {
    return 'argument --password-file: not allowed with argument -P/--password';
  }
  if (args.detach && args.logFile === STDIN) {
    return "argument --log-file: a daemon in the background has no stderr ('-')";
  }
  if (args.json && args.prometheus)
    return 'argument --prometheus: not allowed with argument --json';
  const { name, file } = args;
  if (args.list && args.remove) return 'argument --remove: not allowed with argument --list';
  if (name === 'upload' && file.length === 0) {
    return 'the following arguments are required: --file';
  }
  if (file.length > MAX_FILES) return `argument --file: ${MAX_FILES} at most: ${file.length}`;
  if (file.filter((each) => each === STDIN).length > 1) {
    return "argument --file: stdin can't be read twice ('-')";
  }
  if (file.includes(STDIN) && args.method.slice(1).includes(STDIN)) {
    return "argument --file: stdin can't be read for a file ('-') and for an argument ('-')";
  }
  if (args.name === 'call') {
    const option = args.detach ? '--detach' : '--abort-on-interrupt';
    const isOfJobs = args.detach || args.abortOnInterrupt;
    if (isOfJobs && !args.job) return `argument ${option}: only allowed with argument -j/--job`;
    if (args.detach && args.abortOnInterrupt) {
      return 'argument --abort-on-interrupt: not allowed with argument --detach';
    }
  }
  // Through a daemon no password is read, nor beside a key.
  if (useDaemon || apiKey !== null) return null;
  const option = password === STDIN ? '-P/--password' : '--password-file';
  const other = password === STDIN || passwordFile === STDIN ? otherReader(args) : null;
  if (other === null) return null;
  return `argument ${option}: stdin can't be read for the password ('-') and for ${other}`;
}

/** What else stdin is to be read for. */
function otherReader({ name, method, files, file }: Arguments): string | null {
  if (name !== 'batch' && method.slice(1).includes(STDIN)) return "an argument ('-')";
  if (file.includes(STDIN)) return "a file ('-')";
  if (name === 'batch' && (files.length === 0 || files.includes(STDIN))) return 'the requests';
  return null;
}
