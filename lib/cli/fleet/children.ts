/**
 * Commands that write to stdout and stderr as they go, each in a process of its own: what it prints is told apart by
 * whose it is. It is given the profile's name and no secret: the daemon is there, and is logged in.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MidcltError, systemReason } from '../../errors.js';
import { quote } from '../../json/members.js';
import { CA_FILE, OWN_VARIABLES } from '../../login/variables.js';
import type { Json } from '../../protocol/frames.js';
import { ownWords } from '../../text/for-person.js';
import type { Arguments } from '../args/arguments.js';
import { batchWords } from '../batch/ledger.js';
import { onSignal } from '../commands/exchange.js';
import { endingSignals } from '../commands/signals.js';
import { sayLine, writeForeign } from '../output/output.js';

const NEWLINE = 0x0a;

function wordsOf({ name, jobId, output }: Arguments): string[] {
  return [...(name ?? '').split(' '), ...(output === null ? [] : ['-o', output]), `${jobId}`];
}

/** The processes of a command, one a system. */
export class ChildRuns {
  /** What stops each, and what resolves when all that it has printed is read. */
  private readonly running = new Map<() => void, Promise<unknown>>();

  private constructor(
    /** What stdin has said, to be read by each; null where nobody reads it. */
    private readonly spool: string | null,
  ) {}

  /** Reads stdin, if the requests of a batch are to come from there. Rejects with a `FILES` error. */
  static async open({ name, files }: Arguments): Promise<ChildRuns> {
    const isRead = name === 'batch' && (files.length === 0 || files.includes('-'));
    return new ChildRuns(isRead ? await spooled(process.stdin) : null);
  }

  /** Runs the command of the arguments. Resolves with what it has printed, as a JSON string. Rejects with what it has said. */
  async command(args: Arguments): Promise<Json> {
    const printed: Buffer[] = [];
    const said: string[] = [];
    const child = start(args, wordsOf(args), 'ignore');
    child.stdout.on('data', (chunk: Buffer) => printed.push(chunk));
    const code = await this.ended(
      child,
      eachLine(child.stderr, (line) => said.push(line.toString())),
    );
    const text = Buffer.concat(printed).toString();
    if (code === 0) return Buffer.from(text === '' ? 'null' : quote(text));
    throw failureOf(code, said);
  }

  /** Runs a batch, and prints the answers, each with the system's name. Resolves with whether every request had a result. */
  async batch(args: Arguments): Promise<boolean> {
    const name = args.system ?? '';
    const stdin = this.spool === null ? 'ignore' : fs.openSync(this.spool, 'r');
    const child = start(args, batchWords(args), stdin);
    if (typeof stdin === 'number') fs.closeSync(stdin);
    const head = Buffer.from(`{"profile":${quote(name)},`);
    const code = await this.ended(
      child,
      // Every line is an object.
      eachLine(child.stdout, (line) => {
        writeForeign(Buffer.concat([head, line.subarray(1), Buffer.of(NEWLINE)]));
      }),
      eachLine(child.stderr, (line) => {
        if (!args.quiet) sayLine(`${name}: ${line.toString()}`);
      }),
    );
    return code === 0;
  }

  /** Stops what runs. Resolves when its last words are read; null: nothing runs. */
  close(): Promise<void> | null {
    if (this.spool !== null) fs.rmSync(path.dirname(this.spool), { recursive: true, force: true });
    if (this.running.size === 0) return null;
    for (const stop of this.running.keys()) stop();
    return Promise.allSettled(this.running.values()).then(() => undefined);
  }

  /** Resolves with the exit code when the process has ended and what it has printed is taken. */
  private async ended({ ended, stop }: Child, ...taken: Promise<void>[]): Promise<number | null> {
    const all = Promise.all([ended, ...taken]);
    this.running.set(stop, all);
    try {
      const [code] = await all;
      return code;
    } finally {
      this.running.delete(stop);
    }
  }
}

async function spooled(input: Readable): Promise<string> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'midclt-'));
  const file = path.join(directory, 'requests');
  const remove = () => {
    fs.rmSync(directory, { recursive: true, force: true });
  };
  const forget = onSignal(remove, endingSignals());
  try {
    await pipeline(input, fs.createWriteStream(file, { flags: 'wx', mode: 0o600 }));
    return file;
  } catch (error) {
    remove();
    throw error;
  } finally {
    forget();
  }
}

interface Child {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves with the exit code, null after a signal. Rejects with a `FILES` error if it could not be started. */
  readonly ended: Promise<number | null>;
  readonly stop: () => void;
}

/** This program, for one system. */
function start(args: Arguments, words: readonly string[], stdin: number | 'ignore'): Child {
  const { timeout, autostart } = args;
  const options = [
    ...ownWords({ ...args, useDaemon: true }),
    ...(autostart ? [] : ['--no-autostart']),
    ...(timeout === null ? [] : ['-t', `${timeout}`]),
  ];
  const program = [...process.execArgv, process.argv[1] ?? '', ...options, ...words];
  const child = spawn(process.execPath, program, {
    stdio: [stdin, 'pipe', 'pipe'],
    detached: true, // Ctrl-C is for this process alone, which stops the others and waits for what they have to say
    env: withoutOwn(process.env),
  });
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new MidcltError('FILES', 'Cannot start a process: no pipe is left');
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', (error) => {
      reject(new MidcltError('FILES', `Cannot start a process: ${systemReason(error)}`));
    });
    child.on('close', resolve);
  });
  return { stdout, stderr, ended, stop: () => child.kill('SIGTERM') };
}

/** What counts beside a profile, and is no secret. */
const INHERITED: readonly string[] = [CA_FILE, 'CALL_TIMEOUT'];

function withoutOwn(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(
    ([name]) => INHERITED.includes(name) || !OWN_VARIABLES.includes(name),
  );
  return Object.fromEntries(kept);
}

/** Calls `take` with each line, without its newline. Resolves at the end. */
async function eachLine(stream: Readable, take: (line: Buffer) => void): Promise<void> {
  let held: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      take(Buffer.concat([...held, chunk.subarray(from, at)]));
      held = [];
      from = at + 1;
    }
    if (from < chunk.length) held.push(chunk.subarray(from));
  }
  if (held.length > 0) take(Buffer.concat(held));
}

function failureOf(code: number | null, said: readonly string[]): MidcltError {
  const text = said.join('; ').replace(/^Error: /, '');
  return new MidcltError('CALL', text || `The command ended with ${code ?? 'a signal'}`);
}
