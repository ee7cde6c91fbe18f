/**
 * `shell-init`: a shell function `midclt` that makes the common calls through a daemon by itself,
 * since starting this program takes ten times as long as the call. It does what it is sure of:
 * everything else, and whatever goes wrong before a request is sent, is left to the program.
 */
import { spawnSync } from 'node:child_process';
import { MidcltError, systemReason } from '../../errors.js';
import type { Arguments } from '../args/arguments.js';
import { writeOut } from '../output/output.js';
import {
  ALWAYS_TIMED,
  FAST,
  POSIX_QUOTE,
  QUOTE,
  SEE_IF_TIMED,
  TRUST,
  WATCH,
  WHOLE,
} from './text.js';

/** What the function returns within itself for what it leaves to the program; no exit code of that. */
const LEFT = '113';

/** Prints the function for the shell. Throws a `FILES` error where nothing can talk to a socket. */
export function shellInit({ shell }: Arguments): number {
  const quote = shell === 'sh' ? POSIX_QUOTE : QUOTE;
  const isZsh = shell === 'zsh';
  const program = connector();
  // nc ends when nobody reads what it writes; socat does not, nor is there who reads while a shell's own read waits.
  const isNumbered = shell === 'sh' || program === 'socat';
  const peer = isNumbered ? 'IFS= read -r peer || peer=' : ':';
  const connection = isNumbered ? numbered(connectionOf(program)) : connectionOf(program);
  const text =
    `${quote}\n${shell === 'sh' ? SEE_IF_TIMED : ALWAYS_TIMED}${WATCH}\n${TRUST}\n${FAST}\n${WHOLE}`
      .replaceAll('@{', '${')
      .replaceAll('@LEFT@', LEFT)
      .replace('@EMULATION@', isZsh ? '  emulate -L sh\n' : '')
      .replace('@CONNECT@', () => connection)
      .replace('@PEER@', peer)
      .replaceAll('@PROGRAM@', () => quoted(process.argv[1] ?? 'midclt'));
  writeOut(Buffer.from(text));
  return 0;
}

/** What connects stdin and stdout to the socket `$sock` until the daemon closes it. */
function connectionOf(program: 'nc' | 'socat'): string {
  return program === 'nc' ? 'nc -U "$sock"' : 'socat -t 86400 - "UNIX-CONNECT:$sock"';
}

/** The program that does it. Throws a `FILES` error where there is none. */
function connector(): 'nc' | 'socat' {
  if (/^\s*-U\b/m.test(outputOf('nc', '-h') ?? '')) return 'nc';
  if (outputOf('socat', '-V') !== null) return 'socat';
  throw new MidcltError(
    'FILES',
    'A shell needs nc (that of OpenBSD) or socat to talk to the daemon; install one of them',
  );
}

/** The same, with its process's number as the first line of its output. */
function numbered(connection: string): string {
  const named = connection.replace('$sock', '$1');
  return `sh -c 'echo "$$"; exec ${named}' sh "$sock"`;
}

/** What a program prints, or null if it is not there. Throws a `FILES` error if it can't be run for another reason. */
function outputOf(program: string, option: string): string | null {
  const { error, stdout, stderr } = spawnSync(program, [option], { encoding: 'utf8' });
  if (!error) return `${stdout}\n${stderr}`;
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
  throw new MidcltError('FILES', `Cannot run ${program}: ${systemReason(error)}`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
