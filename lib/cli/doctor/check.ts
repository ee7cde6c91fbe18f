/** What a check of `doctor` is: it looks at one thing, says what it found, and what to do about it. */
import { MidcltError, publicText, shellWord } from '../../errors.js';
import type { Target } from '../../middleware/uri.js';
import type { Json } from '../../protocol/frames.js';
import type { StatusReport } from '../../protocol/status.js';
import { ownCommand } from '../../text/for-person.js';
import type { Arguments } from '../args/arguments.js';

export type State = 'ok' | 'warning' | 'failed' | 'skipped';

export interface Found {
  readonly state: State;
  /** One line, without a secret. */
  readonly message: string;
  /** What to do next: a line to paste. */
  readonly advice: string | null;
}

export interface Check {
  /** Lasting: scripts match it. */
  readonly name: string;
  /** When one of these has failed or was skipped, there is no point in this one. */
  readonly after?: readonly string[];
  /** May throw: then it has failed for that reason. */
  readonly look: (context: Context) => Found | Promise<Found>;
}

/** What checks look at, and what later ones learn of earlier ones. */
export interface Context {
  /** As typed. */
  readonly given: Arguments;
  /** With what the environment and a profile say; as typed, where {@link Context.problem} says why not. */
  readonly args: Arguments;
  /** Why no profile could be read. */
  readonly problem: unknown;
  readonly env: NodeJS.ProcessEnv;
  /** Milliseconds for each step over the network. */
  readonly patience: number;
  target: Target | null;
  /** Of the daemon that runs. */
  report: StatusReport | null;
  /** Makes a call of no arguments, once somebody is logged in. */
  call: ((method: string) => Promise<Json>) | null;
  /** Ends what makes the calls. */
  close: () => void;
}

export function ok(message: string): Found {
  return { state: 'ok', message, advice: null };
}

export function warning(message: string, advice: string | null): Found {
  return { state: 'warning', message, advice };
}

export function failed(message: string, advice: string | null): Found {
  return { state: 'failed', message, advice };
}

export function skipped(message: string, advice: string | null = null): Found {
  return { state: 'skipped', message, advice };
}

/** Failed with this error; what its message tells to type is the advice, unless there is a better one. */
export function failedBy(error: unknown, advice: string | null = null): Found {
  const message = publicText(error);
  return failed(message, advice ?? commandIn(message));
}

/** The first command in a message of this program, where commands to type stand in quotes. */
function commandIn(message: string): string | null {
  return /'((?:midclt|chmod|kill|fuser) [^']+)'/.exec(message)?.[1] ?? null;
}

/** The user's own options and another command, or these again for another URI. */
export function commandFor({ args }: Context, rest: readonly string[], uri?: string): string {
  return ownCommand(
    uri === undefined ? args : { ...args, uri, profile: null, profileWords: null },
    rest,
  );
}

/** Looks again when what passes by itself has had a minute. */
export function laterCommand(context: Context): string {
  return `sleep 60; ${commandFor(context, ['doctor'])}`;
}

/** What shows a person what answers there. */
export function lookAt({ url, socketPath }: Target): string {
  const at = socketPath === null ? '' : `--unix-socket ${shellWord(socketPath)} `;
  return `curl -skI ${at}${shellWord(url.replace(/^ws/, 'http'))}`;
}

/** The system's error behind one of ours. */
export function causeOf(error: unknown): Error {
  const { cause } = error as Error;
  return error instanceof MidcltError && cause instanceof Error ? cause : (error as Error);
}

/** Resolves with what the work does, or rejects when it takes too long. */
export async function within<T>(milliseconds: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`${what} within ${milliseconds / 1000} s`));
    }, milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
