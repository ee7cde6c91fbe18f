/** Asks for a secret on the terminal, without echo, whatever stdin and stdout are. */
import fs from 'node:fs';
import tty from 'node:tty';
import { MidcltError, systemReason } from '../errors.js';
import { TypedLine } from './typed-line.js';

interface Terminal {
  readonly input: tty.ReadStream;
  readonly write: (text: string) => void;
  readonly release: () => void;
}

const STDIN = 0;
const STDERR = 2;

/** What ends a process that waits here, and would leave the terminal without echo. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/**
 * What was typed, without its newline; null if there is no terminal to ask on, on which nothing is
 * read then. Ctrl-C ends the process as it would without raw mode. Rejects with a `REQUEST` error
 * if nothing is given: Ctrl-D, a signal that somebody else handles, or the terminal's end.
 */
export async function promptSecret(text: string): Promise<string | null> {
  const terminal = openTerminal();
  if (!terminal) return null;
  try {
    return await typed(terminal, text);
  } finally {
    restore(terminal);
  }
}

/** Could something be asked? */
export function isTerminalThere(): boolean {
  try {
    fs.closeSync(fs.openSync('/dev/tty', 'r+'));
    return true;
  } catch {
    return tty.isatty(STDIN);
  }
}

function openTerminal(): Terminal | null {
  let descriptor: number;
  try {
    descriptor = fs.openSync('/dev/tty', 'r+');
  } catch {
    return ownTerminal();
  }
  const input = new tty.ReadStream(descriptor);
  return {
    input,
    write: writer(descriptor),
    release: () => {
      input.destroy();
    },
  };
}

/** stdin and stderr, of a process that has no controlling terminal. */
function ownTerminal(): Terminal | null {
  if (!tty.isatty(STDIN)) return null;
  const { stdin } = process;
  return {
    input: stdin,
    write: writer(STDERR),
    release: () => {
      stdin.pause();
    },
  };
}

function writer(descriptor: number): Terminal['write'] {
  return (text) => {
    try {
      fs.writeSync(descriptor, text);
    } catch {
      // It went away; the reading will say so.
    }
  };
}

/** More than once does no harm. */
function restore({ input, write, release }: Terminal): void {
  if (input.isRaw) {
    write('\n');
    input.setRawMode(false);
  }
  release();
}

async function typed(terminal: Terminal, text: string): Promise<string> {
  const { input } = terminal;
  const line = new TypedLine();
  const listening = new AbortController();
  const { promise, resolve, reject } = withResolvers<string>();
  const give = (signal: NodeJS.Signals): void => {
    restore(terminal);
    listening.abort();
    // Whoever handles it has heard of it; else it ends the process, as it would without this.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    else reject(aborted(`ended by ${signal}`));
  };
  const onData = (chunk: Buffer): void => {
    const done = line.take(chunk);
    if (done === null) return;
    if (done.kind === 'line') resolve(done.text);
    else if (done.kind === 'end') reject(aborted('nothing was typed'));
    else {
      // Nothing is under way at a prompt that its handlers would have to finish.
      process.removeAllListeners(done.signal);
      give(done.signal);
    }
  };
  const onEnd = (): void => {
    reject(aborted('the terminal is gone'));
  };
  const onError = (error: Error): void => {
    reject(aborted(systemReason(error)));
  };
  input.on('end', onEnd).on('error', onError); // the latter for good: restoring can fail, too
  for (const signal of SIGNALS) process.on(signal, give);
  listening.signal.addEventListener('abort', () => {
    input.off('data', onData).off('end', onEnd);
    for (const signal of SIGNALS) process.off(signal, give);
  });
  try {
    // Before the prompt: who sees it may type at once.
    input.setRawMode(true);
    if (input.isRaw) {
      terminal.write(text);
      input.on('data', onData);
    }
    return await promise;
  } finally {
    listening.abort();
  }
}

function aborted(why: string): MidcltError {
  return new MidcltError('REQUEST', `The prompt was aborted: ${why}`);
}

/** `Promise.withResolvers`, which Node 20 lacks. */
function withResolvers<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
