/**
 * Asks on the terminal, whatever stdin and stdout are: for a secret without echo, or for what may be seen.
 *
 * It is not npm's `read`, whose promise is never settled at Ctrl-D, which passes over Ctrl-\ and Ctrl-Z,
 * and which leaves a terminal without echo behind when a signal ends the process.
 */
import fs from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import tty from 'node:tty';
import { MidcltError, systemReason } from '../errors.js';
import { stripControls } from '../text/terminal.js';

interface Terminal {
  readonly input: tty.ReadStream;
  readonly write: (text: string) => void;
  readonly release: () => void;
}

const STDIN = 0;
const STDERR = 2;

/** Signals that end a process. At a prompt the terminal is restored first. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/**
 * What was typed, without its newline; null if there is no terminal to ask on, on which nothing is
 * read then. Ctrl-C ends the process as it would without raw mode. Rejects with {@link Unanswered}
 * if nothing is given: Ctrl-D, a signal that somebody else handles, or the terminal's end.
 */
export function promptSecret(text: string): Promise<string | null> {
  return prompt(text, false);
}

/** The same, and what is typed is shown. */
export function promptLine(text: string): Promise<string | null> {
  return prompt(text, true);
}

async function prompt(text: string, isShown: boolean): Promise<string | null> {
  const terminal = openTerminal();
  if (!terminal) return null;
  try {
    return await typed(terminal, text, isShown);
  } finally {
    restore(terminal);
  }
}

/** Is there a terminal to ask on? */
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
      // The terminal is gone; the next read fails and tells it.
    }
  };
}

/** Turns the echo on again. Calling it again does nothing. */
function restore({ input, write, release }: Terminal): void {
  if (input.isRaw) {
    write('\n');
    input.setRawMode(false);
  }
  release();
}

async function typed(terminal: Terminal, text: string, isShown: boolean): Promise<string> {
  const { input } = terminal;
  const line = new TypedLine();
  const show = isShown ? echo(terminal, text) : () => undefined;
  const listening = new AbortController();
  const { promise, resolve, reject } = withResolvers<string>();
  const endBy = (signal: NodeJS.Signals): void => {
    restore(terminal);
    listening.abort();
    // With no other listener the signal ends the process, as it would without this one.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    else reject(aborted(`ended by ${signal}`));
  };
  const onData = (chunk: Buffer): void => {
    const done = line.take(chunk);
    show(line.text);
    if (done === null) return;
    if (done.kind === 'line') resolve(done.text);
    else if (done.kind === 'end') reject(aborted('nothing was typed'));
    else {
      // Nothing is under way at a prompt that its handlers would have to finish.
      process.removeAllListeners(done.signal);
      endBy(done.signal);
    }
  };
  const onEnd = (): void => {
    reject(aborted('the terminal is gone'));
  };
  const onError = (error: Error): void => {
    reject(aborted(systemReason(error)));
  };
  input.on('end', onEnd).on('error', onError); // the latter is never removed: restoring can fail, too
  for (const signal of SIGNALS) process.on(signal, endBy);
  listening.signal.addEventListener('abort', () => {
    input.off('data', onData).off('end', onEnd);
    for (const signal of SIGNALS) process.off(signal, endBy);
  });
  try {
    // The echo is off before the prompt is shown, since a user may type as soon as it is.
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

/** Shows what has been typed so far. */
function echo({ write }: Terminal, prompt: string): (text: string) => void {
  const last = prompt.slice(prompt.lastIndexOf('\n') + 1);
  let shown = '';
  return (text) => {
    // How wide a character is that was taken back, the terminal knows.
    if (text.startsWith(shown)) write(text.slice(shown.length));
    else write(`${LINE_START}${last}${text}`);
    shown = text;
  };
}

/** Nothing of use was given to a question. */
export class Unanswered extends MidcltError {
  constructor(message: string) {
    super('REQUEST', message);
  }
}

function aborted(why: string): Unanswered {
  return new Unanswered(`The prompt was aborted: ${why}`);
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

const INTERRUPT = '\x03';
const END = '\x04';
const KILL = '\x15';
const SUSPEND = '\x1a';
const QUIT = '\x1c';
const DELETE = '\x7f';
/** To the line's first column, and all of it gone. */
const LINE_START = '\r\x1b[K';
const KEPT = `${INTERRUPT}${END}\b\n\r${KILL}${SUSPEND}${QUIT}${DELETE}`;

type Typed =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'end' }
  | { readonly kind: 'signal'; readonly signal: 'SIGINT' | 'SIGQUIT' };

/** A line as it is typed on a terminal in raw mode, where the keys that edit it are characters. */
export class TypedLine {
  private characters: string[] = [];
  /** A character may come in two pieces. */
  private readonly decoder = new StringDecoder();

  /** What has been typed. */
  get text(): string {
    return this.characters.join('');
  }

  /** What ended the line, or null if it goes on. What comes behind that is dropped. */
  take(chunk: Buffer): Typed | null {
    for (const character of stripControls(this.decoder.write(chunk), KEPT)) {
      switch (character) {
        case '\r':
        case '\n':
          return { kind: 'line', text: this.text };
        case INTERRUPT:
          return { kind: 'signal', signal: 'SIGINT' };
        case QUIT:
          return { kind: 'signal', signal: 'SIGQUIT' };
        case END:
        case SUSPEND:
          if (this.characters.length === 0) return { kind: 'end' };
          break;
        case KILL:
          this.characters = [];
          break;
        case '\b':
        case DELETE:
          this.characters.pop();
          break;
        default:
          this.characters.push(character);
      }
    }
    return null;
  }
}
