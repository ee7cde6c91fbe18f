/**
 * `batch`: requests as NDJSON in, their answers in the same order out, several under way at once.
 *
 *     input → as many workers as connections → order → output
 *
 * Everything is pulled: a worker that is free takes the next line, if the order has room for its
 * answer. So what is slow, stdout or a request, holds up the reading, and nothing piles up.
 */
import { REQUESTS } from '../../commands/verbs.js';
import { asMidcltError, MidcltError } from '../../errors.js';
import { errorFrame } from '../../protocol/error-frame.js';
import type { Core } from '../../compose.js';
import { Command, MessageType } from '../../protocol/frames.js';
import { encodeFrame, type Outgoing } from '../../stream/codec.js';
import type { LocalSession } from '../../stream/local.js';
import type { Arguments } from '../args/arguments.js';
import { BatchInput } from './input.js';
import { Lane, notSent } from './connection.js';
import { Order, type Place } from './reorder-buffer.js';
import { BatchOutput } from './output.js';
import { withCore } from '../commands/direct.js';
import { sayLine } from '../output/output.js';
import { daemonAddress, verificationMember, withDaemon } from '../commands/via-daemon.js';

/** Answers that may wait for the one before them: two seconds' worth of them, and 16 MB. */
const WINDOW = { places: 16 * 1024, bytes: 16 * 1024 * 1024 };

/** Daemons that are asked in the place of one that ended. */
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
  const lanes = Array.from({ length: parallel }, () => new Lane(address, options));
  await withDaemon(args, async () => lanes[0]?.open()); // without a daemon nothing is read
  const daemon: Daemon = { stopped: false, find: finder(args) };
  return work(
    files,
    lanes.map((lane) => laneWorker(lane, daemon)),
  );
}

function directly({ files, parallel, progress }: Arguments, core: Core): Promise<number> {
  const workers = Array.from({ length: parallel }, () => localWorker(core.local(), progress));
  return work(files, workers);
}

/** The exit code. Throws a `BROKEN_PIPE` or `FILES` error when stdout takes no more. */
async function work(files: readonly string[], workers: readonly Worker[]): Promise<number> {
  let failures = 0;
  const output = new BatchOutput();
  const order = new Order(output, WINDOW);
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

/** One after the other, each when it is asked for and its answer has room. */
async function* jobsOf(input: BatchInput, order: Order): AsyncGenerator<Job, void> {
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

/** What no batch can have: the answer to a shell is text, and might be any number of lines. */
function refusalOf({ incoming }: Job): Outgoing | null {
  if (!incoming.request || !incoming.verb?.format.text) return null;
  const {
    id,
    request: { command },
  } = incoming;
  const instead = command === Command.CLI_PING ? Command.PING : Command.CALL;
  const text = `A batch can't have '${command}', which answers in text; it takes '${instead}'`;
  return { frame: errorFrame(new MidcltError('REQUEST', text)), id };
}

/** What all workers know of it. */
interface Daemon {
  /** By a request of this batch. */
  stopped: boolean;
  /** Opens a lane to the one that there is by now, starting it where it may. */
  readonly find: (lane: Lane) => Promise<void>;
}

/** One that can't be started is not tried again for every line: each try may be a login. */
function finder(args: Arguments): Daemon['find'] {
  let failure: MidcltError | null = null;
  return async (lane) => {
    if (failure) throw failure;
    try {
      await withDaemon(args, () => lane.open());
    } catch (error) {
      failure = asMidcltError(error);
      throw error;
    }
  };
}

function laneWorker(lane: Lane, daemon: Daemon): Worker {
  return {
    async answer(job) {
      const { incoming, place } = job;
      try {
        const type = await askLasting(lane, daemon, job);
        if (type === MessageType.RESULT && incoming.request?.command === Command.STOP) {
          daemon.stopped = true;
        }
        return type;
      } catch (error) {
        return put(place, { frame: errorFrame(error), id: incoming.id });
      }
    },
    close: () => {
      lane.close();
    },
  };
}

/** What was not sent because the daemon was ending is asked of the next one. */
async function askLasting(lane: Lane, daemon: Daemon, job: Job): Promise<MessageType> {
  for (let left = ATTEMPTS; ; left--) {
    try {
      if (daemon.stopped) throw notSent('the daemon was stopped');
      return await lane.ask(job.line, job.incoming.request, job.place);
    } catch (error) {
      const isSent = asMidcltError(error).code !== 'CLOSED';
      if (isSent || daemon.stopped || left === 0) throw error;
      await daemon.find(lane).catch(() => {
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

/** Does not wait for room: what it puts there is in the memory already. */
function put(place: Place, out: Outgoing): MessageType {
  for (const piece of encodeFrame(out)) void place.push(piece);
  return out.frame.type;
}
