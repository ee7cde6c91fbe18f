/** Options that make no sense together. */
import type { Arguments } from './arguments.js';

const STDIN = '-';

/** What is wrong with options as given, for a line about the usage; or null. */
export function conflictOf(args: Arguments): string | null {
  const { password, passwordFile, apiKey, useDaemon } = args;
  if (password !== null && passwordFile !== null) {
    return 'argument --password-file: not allowed with argument -P/--password';
  }
  if (args.detach && args.logFile === STDIN) {
    return "argument --log-file: a daemon in the background has no stderr ('-')";
  }
  // Through a daemon no password is read, nor beside a key.
  if (useDaemon || apiKey !== null) return null;
  const option = password === STDIN ? '-P/--password' : '--password-file';
  const other = password === STDIN || passwordFile === STDIN ? otherReader(args) : null;
  if (other === null) return null;
  return `argument ${option}: stdin can't be read for the password ('-') and for ${other}`;
}

/** What else stdin is to be read for. */
function otherReader({ name, method, files }: Arguments): string | null {
  if (name === 'call' && method.slice(1).includes(STDIN)) return "an argument ('-')";
  if (name === 'batch' && (files.length === 0 || files.includes(STDIN))) return 'the requests';
  return null;
}
