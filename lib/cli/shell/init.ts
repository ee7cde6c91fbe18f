/**
 * `shell-init`: a shell function `midclt` that makes the common calls through a daemon by itself, since starting
 * this program takes ten times as long as the call; and the launcher, a script that does the same for who is no
 * shell. Both do what they are sure of: everything else, and whatever goes wrong before a request is read, is
 * left to the program.
 */
import { spawnSync } from 'node:child_process';
import { MidcltError, systemReason } from '../../errors.js';
import { VERSION } from '../../protocol/frames.js';
import type { Arguments } from '../args/arguments.js';
import { writeOut } from '../output/output.js';
import { PROFILE, SYSTEM } from './profile-text.js';
import { FAST, NAME, POSIX_QUOTE, QUOTE, TRUST } from './request-text.js';
import {
  ANSWER,
  CALL,
  FUNCTION,
  LAUNCHER_CALL,
  LAUNCHER_CLIENT,
  LAUNCHER_HEAD,
  LAUNCHER_TAIL,
  POSIX_FUNCTION,
  RUN,
  WATCH,
} from './text.js';

/** `sh` may be zsh. */
const EMULATIONS: Readonly<Record<string, string>> = {
  sh: '  [ -z "@{ZSH_VERSION-}" ] || emulate -L sh\n',
  zsh: '  emulate -L sh\n',
};

/** What the function returns within itself for what it leaves to the program; no exit code of that. */
const LEFT = '113';

/** Prints the function for the shell. Throws a `FILES` error where nothing can talk to a socket. */
export function shellInit({ shell }: Arguments): number {
  const isPosix = shell === 'sh';
  const program = connector();
  const text = filledIn(
    [`# midclt as a shell function; to be evaluated: eval "$(midclt shell-init ${shell})"`]
      .concat(isPosix ? POSIX_QUOTE : QUOTE, common(CALL), RUN)
      .concat(isPosix ? POSIX_FUNCTION : FUNCTION)
      .join('\n'),
    {
      EMULATION: EMULATIONS[shell] ?? '',
      CONSTANTS: shell === 'zsh' ? ZSH_CONSTANTS : constants(),
      CLIENT: '',
      CONNECT: program === 'nc' ? 'nc -U "$sock"' : SOCAT,
      // nc ends when nobody reads what it writes; socat does not.
      PEER: program === 'nc' ? '' : '  IFS= read -r peer || peer=\n',
      PROGRAM: quoted(process.argv[1] ?? 'midclt'),
    },
  );
  writeOut(Buffer.from(text));
  return 0;
}

/** The launcher's text; the build writes it to a file. */
export function launcher(): string {
  return filledIn(
    [LAUNCHER_HEAD.trim(), POSIX_QUOTE, common(LAUNCHER_CALL), LAUNCHER_TAIL.trim(), ''].join('\n'),
    {
      EMULATION: '',
      CONSTANTS: '',
      CLIENT: LAUNCHER_CLIENT,
      PEER: '  [ -z "$numbered" ] || IFS= read -r peer || peer=\n',
    },
  );
}

/** What the function and the launcher have in common, around how the `call` is made. */
function common(call: string): string {
  const fast = FAST.replace('@CALL@', () => call.slice(1));
  return [fast, SYSTEM, PROFILE, NAME, TRUST, WATCH, ANSWER].join('\n');
}

/**
 * Leaves the call to the program where the caller has made a constant of one of the function's variables, since an
 * assignment, or "local", would then end its shell. By "command" it fails; what that makes local is so in some shells only.
 */
function constants(): string {
  const locals = common(CALL).matchAll(/ local ([^|\n]+)/g);
  const names = [...locals].flatMap(([, words = '']) => words.match(/(?<=^| )[A-Za-z]\w*/g) ?? []);
  return `  command local ${[...new Set(names)].join('= ')}= 2>/dev/null || return @LEFT@\n`;
}

/** There a local variable may have a constant's name, but for these. */
const ZSH_CONSTANTS = `  case @{(t)IFS}@{(t)LC_ALL} in *readonly*) return @LEFT@ ;; esac
`;

function filledIn(text: string, words: Readonly<Record<string, string>>): string {
  const all: Readonly<Record<string, string>> = { ...words, LEFT, VERSION };
  const once = (part: string) =>
    part.replace(/@([A-Z]+)@/g, (whole, name: string) => all[name] ?? whole);
  return once(once(text)).replaceAll('@{', '${');
}

/** Its process's number is the first line of its output. */
const SOCAT = `sh -c 'echo "$$"; exec socat -t 86400 - "UNIX-CONNECT:$1"' sh "$sock"`;

/** The program that connects stdin and stdout to a socket until the daemon closes it. Throws a `FILES` error where there is none. */
function connector(): 'nc' | 'socat' {
  if (knowsUnixSockets('nc')) return 'nc';
  if (outputOf('socat', '-V') !== null) return 'socat';
  throw new MidcltError(
    'FILES',
    'A shell needs nc (that of OpenBSD) or socat to talk to the daemon; install one of them',
  );
}

/** Is this program one of the kinds of nc that do? */
export function knowsUnixSockets(program: string): boolean {
  return /^\s*-U\b/m.test(outputOf(program, '-h') ?? '');
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
