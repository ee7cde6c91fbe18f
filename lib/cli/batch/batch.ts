/**
 * `batch`: requests as NDJSON in, their answers in the same order out, several under way at once.
 *
 *     input → as many workers as connections → order → output
 *
 * Everything is pulled: a worker that is free takes the next line, if the order has room for its
 * answer. So what is slow, stdout or a request, holds up the reading, and nothing piles up.
 */
import fs from 'node:fs';
import net from 'node:net';
import { pipeline, type Readable } from 'node:stream';
import { promisify } from 'node:util';
import { REQUESTS } from '../../commands/verbs.js';
import type { Core } from '../../compose.js';
import { MidcltError, asMidcltError, systemReason } from '../../errors.js';
import { Command, MessageType, errorFrame } from '../../protocol/frames.js';
import { encodeFrame, type Outgoing } from '../../stream/codec.js';
import { LineLimit, splitLines } from '../../stream/guard.js';
import type { LocalSession } from '../../stream/local.js';
import type { Arguments } from '../args/arguments.js';
import { withCore } from '../commands/direct.js';
import { daemonAddress, verificationMember, withDaemon } from '../commands/via-daemon.js';
import { sayLine } from '../output/output.js';
import { BatchConnection, notSent } from './connection.js';
import { BatchOutput, ReorderBuffer, type Place } from './output.js';

/** Answers that may wait for the one before them: two seconds' worth of them, and 16 MB. */
const WINDOW = { places: 16 * 1024, bytes: 16 * 1024 * 1024 };

/** How many more daemons are asked when one ends. */
const ATTEMPTS = 3;

/** A line, what it says, and where its answer goes. */
interface Job {
  readonly line: string;
  readonly incoming: ReturnType<typeof REQUESTS.parse>;
  readonly place: Place;
}

/** Answers one request at a time. Resolves with the type of the final frame; never rejects. */
interface Worker {
  answer(job: Job): Promise<MessageType>;
  close(): void;
}

/** The exit code: 0 if every request had a result. Throws why no request could be made, or no answer printed. */
export function runBatch(args: Arguments): Promise<number> {
  return args.useDaemon ? throughDaemon(args) : withCore(args, (core) => directly(args, core));
}

async function throughDaemon(args: Arguments): Promise<number> {
  const { uri, files, parallel, progress } = args;
  const address = daemonAddress(args);
  const member = verificationMember(uri, args.insecure);
  const options = { progress, member, patience: Math.floor(WINDOW.bytes / parallel) };
  const connections = Array.from({ length: parallel }, () => new BatchConnection(address, options));
  await withDaemon(args, async () => connections[0]?.open()); // without a daemon nothing is read
  const daemon: Daemon = { stopped: false, find: finder(args) };
  return work(
    files,
    connections.map((connection) => daemonWorker(connection, daemon)),
  );
}

function directly({ files, parallel, progress }: Arguments, core: Core): Promise<number> {
  const workers = Array.from({ length: parallel }, () => localWorker(core.local(), progress));
  return work(files, workers);
}

/** Returns the exit code. Throws a `BROKEN_PIPE` or `FILES` error when stdout takes no more. */
async function work(files: readonly string[], workers: readonly Worker[]): Promise<number> {
  let failures = 0;
  const output = new BatchOutput();
  const order = new ReorderBuffer(output, WINDOW);
  const input = new BatchInput(files, (message) => {
    failures++;
    sayLine(`Error: ${message}`);
  });
  const jobs = jobsOf(input, order);
  const run = async (worker: Worker) => {
    for (;;) {
      const next = await jobs.next();
      if (next.done) return;
      const refusal = refusalOf(next.value);
      const type = refusal ? put(next.value.place, refusal) : await worker.answer(next.value);
      next.value.place.end();
      if (type !== MessageType.RESULT) failures++;
    }
  };
  try {
    await Promise.race([Promise.all(workers.map(run)), output.failed]);
    await output.flushed();
  } finally {
    input.close();
    for (const worker of workers) worker.close();
  }
  return failures > 0 ? 1 : 0;
}

/** The jobs of the lines, each made when a worker asks for it and the window has room for its answer. */
async function* jobsOf(input: BatchInput, order: ReorderBuffer): AsyncGenerator<Job, void> {
  for await (const line of input.lines()) {
    const incoming = REQUESTS.parse(Buffer.from(line, 'latin1'));
    // What stands before a stop is answered before it is sent, what stands behind it waits for it.
    const alone = incoming.request?.command === Command.STOP;
    if (alone) await order.idle();
    await order.room();
    yield { line, incoming, place: order.take() };
    if (alone) await order.idle();
  }
}

/** The error for a request that a batch can't have: the answer to a shell is text, of any number of lines; a subscription has no end. */
function refusalOf({ incoming }: Job): Outgoing | null {
  if (incoming.request?.command === Command.SUBSCRIBE) {
    const text = "A batch can't have 'subscribe'; 'midclt -d subscribe' prints events";
    return { frame: errorFrame(new MidcltError('REQUEST', text)), id: incoming.id };
  }
  if (!incoming.request || !incoming.verb?.format.text) return null;
  const {
    id,
    request: { command },
  } = incoming;
  const instead = command === Command.CLI_PING ? Command.PING : Command.CALL;
  const text = `A batch can't have '${command}', which answers in text; it takes '${instead}'`;
  return { frame: errorFrame(new MidcltError('REQUEST', text)), id };
}

/** What the workers share about the daemon. */
interface Daemon {
  /** A request of this batch has stopped it. */
  stopped: boolean;
  /** Opens a connection to the daemon that runs by now. Starts one if there is none, unless it may not. */
  readonly find: (connection: BatchConnection) => Promise<void>;
}

/** After a failed start no other is made for the lines that follow: each may be a login. */
function finder(args: Arguments): Daemon['find'] {
  let failure: MidcltError | null = null;
  return async (connection) => {
    if (failure) throw failure;
    try {
      await withDaemon(args, () => connection.open());
    } catch (error) {
      failure = asMidcltError(error);
      throw error;
    }
  };
}

function daemonWorker(connection: BatchConnection, daemon: Daemon): Worker {
  return {
    async answer(job) {
      const { incoming, place } = job;
      try {
        const type = await askLasting(connection, daemon, job);
        if (type === MessageType.RESULT && incoming.request?.command === Command.STOP) {
          daemon.stopped = true;
        }
        return type;
      } catch (error) {
        return put(place, { frame: errorFrame(error), id: incoming.id });
      }
    },
    close: () => {
      connection.close();
    },
  };
}

/** If the daemon was ending and has not sent the request, asks the next one. */
async function askLasting(
  connection: BatchConnection,
  daemon: Daemon,
  job: Job,
): Promise<MessageType> {
  for (let left = ATTEMPTS; ; left--) {
    try {
      if (daemon.stopped) throw notSent('the daemon was stopped');
      return await connection.ask(job.line, job.incoming.request, job.place);
    } catch (error) {
      const isSent = asMidcltError(error).code !== 'CLOSED';
      if (isSent || daemon.stopped || left === 0) throw error;
      await daemon.find(connection).catch(() => {
        throw error;
      });
    }
  }
}

function localWorker(session: LocalSession, progress: boolean): Worker {
  return {
    async answer({ incoming, place }) {
      const { id } = incoming;
      if (!incoming.request) return put(place, { frame: errorFrame(incoming.error), id });
      const options = incoming.request;
      const frame = await session.ask(incoming.request, (frame) => {
        if (progress) put(place, { frame, id, options });
      });
      return put(place, { frame, id });
    },
    close: () => {
      session.close();
    },
  };
}

/** Does not wait for room: the frame is in memory already. */
function put(place: Place, out: Outgoing): MessageType {
  for (const piece of encodeFrame(out)) void place.push(piece);
  return out.frame.type;
}

const STDIN = '-';
/** A line of nothing but this is no request. */
const BLANK = /^[ \t\r]*$/;

/** The lines of a batch's files, one file after the other; owns the file that is being read. */
class BatchInput {
  private current: Readable | null = null;
  private closed = false;
  private stdinRead = false;

  /** `complain` is told of each file that cannot be read, or not to its end. */
  constructor(
    private readonly files: readonly string[],
    private readonly complain: (message: string) => void,
  ) {}

  /**
   * Latin1 texts, one character a byte, without their newlines. One that is longer than a request
   * may be is cut where that is certain. Reads no faster than it is asked to.
   */
  async *lines(): AsyncGenerator<string, void> {
    for (const file of this.files.length > 0 ? this.files : [STDIN]) {
      try {
        const source = await this.open(file);
        if (!source) continue;
        const lines = pipeline(source, new LineLimit(), splitLines(), () => undefined);
        for await (const line of lines as AsyncIterable<string>) {
          if (!BLANK.test(line)) yield line;
        }
      } catch (error) {
        if (this.isClosed()) return;
        this.complain(
          `Cannot read ${file === STDIN ? 'standard input' : file}: ${systemReason(error)}`,
        );
      }
    }
  }

  /** Nobody wants more lines. */
  close(): void {
    this.closed = true;
    this.current?.destroy();
  }

  /** Null for a second `-`: there is nothing left of it. */
  private async open(file: string): Promise<Readable | null> {
    if (file === STDIN) {
      if (this.stdinRead) return null;
      this.stdinRead = true;
      this.current = process.stdin;
    } else {
      this.current = await openFile(file);
    }
    if (this.isClosed()) this.current.destroy();
    return this.current;
  }

  private isClosed(): boolean {
    return this.closed;
  }
}

/** A pipe is read as a socket is, since a file's read that waits for the pipe could not be given up. */
async function openFile(file: string): Promise<Readable> {
  const descriptor = await promisify(fs.open)(file, 'r');
  const stat = fs.fstatSync(descriptor);
  return stat.isFIFO()
    ? new net.Socket({ fd: descriptor, readable: true, writable: false })
    : fs.createReadStream('', { fd: descriptor });
}
