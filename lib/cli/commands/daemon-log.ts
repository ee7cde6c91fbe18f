/** `midclt daemon-log`: the daemon's log, an event a line, for people or (`--json`) as it is. */
import fs from 'node:fs';
import { isatty } from 'node:tty';
import { MidcltError, systemReason } from '../../errors.js';
import { daemonPaths } from '../../files/paths.js';
import type { Arguments } from '../args/arguments.js';
import { LogPrinter } from '../../daemon/log/line.js';
import { followLog, lastLines } from '../../daemon/log/reader.js';
import { writeOut } from '../output/output.js';

const STDOUT = 1;

/** Returns the exit code, 0; with `--follow` it never resolves. Throws `FILES` or `BROKEN_PIPE`. */
export async function daemonLog(args: Arguments): Promise<number> {
  const { uri, username, lines, follow, json } = args;
  const path = daemonPaths(uri, username).log;
  const printer = new LogPrinter({ json, isTerminal: isatty(STDOUT) });
  const print = (found: readonly Buffer[]) => {
    const text = found.map((line) => printer.print(line));
    if (text.length > 0) writeOut(Buffer.concat(text));
  };
  const descriptor = open(path, args);
  const { lines: last, end } = lastLines(path, descriptor, lines, !follow);
  print(last);
  if (follow) await followLog(path, descriptor, end, print);
  fs.closeSync(descriptor);
  return 0;
}

function open(path: string, { uri }: Arguments): number {
  try {
    // Should it be a pipe, nobody waits for its other end.
    const descriptor = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    if (fs.fstatSync(descriptor).isFile()) return descriptor;
    fs.closeSync(descriptor);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const whose = uri === null ? '' : ' for this URI and user';
    const hint = isMissing ? `. No daemon ran${whose}, or it logs elsewhere (--log-file)` : '';
    throw new MidcltError('FILES', `Cannot read the log ${path}: ${systemReason(error)}${hint}`);
  }
  throw new MidcltError('FILES', `The log ${path} is no regular file`);
}
