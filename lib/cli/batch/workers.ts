/** Who answers the requests of a batch: one worker a connection, one request a worker at a time. */
import { MidcltError, asMidcltError } from '../../errors.js';
import { Command, MessageType, errorFrame, type FinalFrame } from '../../protocol/frames.js';
import { encodeFrame, type Outgoing } from '../../stream/codec.js';
import type { LocalSession } from '../../stream/local.js';
import type { Arguments } from '../args/arguments.js';
import { withDaemon } from '../commands/via-daemon.js';
import { notSent, type BatchConnection } from './connection.js';
import type { Outcome, Taken } from './ledger.js';
import type { Place } from './output.js';
import type { BatchRequest } from './request.js';

/** How many more daemons are asked when one ends. */
const ATTEMPTS = 3;

/**
 * A request, where it comes from, and where its answer goes. Made member by member: of what is made by `...` each is
 * kept until all of the heap is looked through.
 */
export interface Job extends Taken {
  readonly request: BatchRequest;
}

/** Answers one request at a time. */
export interface Worker {
  /** Resolves with the outcome when the final frame is in its place; never rejects. */
  answer(job: Job): Promise<Outcome>;
  /** What is under way gets an error now; nothing more is sent. */
  giveUp(): void;
  close(): void;
}

/** What the workers share about the daemon. */
export interface Daemon {
  /** Why no request is sent any more. */
  ended: string | null;
  /** Opens a connection to the daemon that runs by now. Starts one if there is none, unless it may not. */
  readonly find: (connection: BatchConnection) => Promise<void>;
  /** Who waits for a start is not to wait any longer. */
  readonly giveUp: () => void;
}

/**
 * After a failed start no other is made for the lines that follow: each may be a login. `aside` has the terminal to
 * itself meanwhile.
 */
export function daemonOf(
  args: Arguments,
  aside: <T>(start: () => Promise<T>) => Promise<T>,
): Daemon {
  let failure: MidcltError | null = null;
  let giveUp: () => void = () => undefined;
  const givenUp = new Promise<never>((_, reject) => {
    giveUp = () => {
      reject(interrupted());
    };
  });
  givenUp.catch(() => undefined);
  return {
    ended: null,
    find: async (connection) => {
      if (failure) throw failure;
      const start = aside(() => withDaemon(args, () => connection.open()));
      try {
        await Promise.race([start, givenUp]);
      } catch (error) {
        failure = asMidcltError(error);
        throw error;
      }
    },
    giveUp,
  };
}

export function daemonWorker(connection: BatchConnection, daemon: Daemon): Worker {
  return {
    async answer(job) {
      const { place } = job;
      const { incoming } = job.request;
      try {
        const outcome = await askLasting(connection, daemon, job);
        if (outcome === 'result' && incoming.request?.command === Command.STOP) {
          daemon.ended = 'the daemon was stopped';
        }
        return outcome;
      } catch (error) {
        return put(place, { frame: errorFrame(error), id: incoming.id });
      }
    },
    giveUp: () => {
      daemon.ended ??= 'the batch was interrupted';
      daemon.giveUp();
      connection.giveUp(interrupted());
    },
    close: () => {
      connection.close();
    },
  };
}

/** If the daemon was ending and has not sent the request, asks the next one. */
async function askLasting(connection: BatchConnection, daemon: Daemon, job: Job): Promise<Outcome> {
  for (let left = ATTEMPTS; ; left--) {
    try {
      if (daemon.ended !== null) throw notSent(daemon.ended);
      return await connection.ask(job.request, job.place);
    } catch (error) {
      const isSent = asMidcltError(error).code !== 'CLOSED';
      if (isSent || daemon.ended !== null || left === 0) throw error;
      await daemon.find(connection).catch(() => {
        throw error;
      });
    }
  }
}

export function localWorker(session: LocalSession, progress: boolean): Worker {
  let settle: (frame: FinalFrame) => void = () => undefined;
  let isGivenUp = false;
  return {
    async answer({ request: { incoming }, place }) {
      const { id } = incoming;
      if (!incoming.request) return put(place, { frame: errorFrame(incoming.error), id });
      if (isGivenUp)
        return put(place, { frame: errorFrame(notSent('the batch was interrupted')), id });
      const options = incoming.request;
      const frame = await new Promise<FinalFrame>((resolve) => {
        settle = resolve;
        void session
          .ask(options, (frame) => {
            if (progress) put(place, { frame, id, options });
          })
          .then(resolve);
      });
      return put(place, { frame, id });
    },
    giveUp: () => {
      isGivenUp = true;
      session.close();
      // What was not sent says so in this turn.
      setImmediate(() => {
        settle(errorFrame(interrupted()));
      });
    },
    close: () => {
      session.close();
    },
  };
}

function interrupted(): MidcltError {
  return new MidcltError(
    'LOST',
    'The batch was interrupted before the answer came; the outcome is unknown',
  );
}

/** Does not wait for room: the frame is in memory already. Returns the outcome that it tells. */
export function put(place: Place, out: Outgoing): Outcome {
  for (const piece of encodeFrame(out)) void place.push(piece);
  if (out.frame.type !== MessageType.ERROR) return 'result';
  const { cause } = out.frame;
  return cause && asMidcltError(cause).outcomeUnknown ? 'unknown' : 'failed';
}
