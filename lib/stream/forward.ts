/** A request to the frames that answer it, by its verb. */
import { objectTransform } from 'through2';
import { MidcltError, isMistake } from '../errors.js';
import { NULL } from '../json/members.js';
import {
  MessageType,
  errorFrame,
  type FinalFrame,
  type Frame,
  type ProgressFrame,
} from '../protocol/frames.js';
import type { TextForm } from '../protocol/request.js';
import { acquire, type Client, type Gate, type Want } from './acquire.js';
import type { Outgoing } from './codec.js';
import type { Turn } from './serialize.js';
import type { Context, Incoming, Patience } from './verb.js';

export interface Forwarding {
  readonly gate: Gate;
  readonly client: Client & Pick<Context, 'isThere'> & { readonly number: number | null };
  /** Throws if no request may be run any more. */
  readonly check: () => void;
  /** Asked of each final frame before it is passed on: the frame, or the one to pass on in its place. */
  readonly admit: (frame: FinalFrame) => FinalFrame;
}

/** What a client is told before its final frame. */
interface Telling extends Pick<Context, 'progress' | 'event'> {
  /** Resolves when the client has taken that its request has been read; null where it does not ask. */
  readonly confirm: (() => Promise<void>) | null;
}

/** That a request has been read. Only a client hears it that asked for a sized text. */
const READ: ProgressFrame = {
  type: MessageType.PROGRESS,
  percent: NULL,
  description: NULL,
  state: 'READ',
  jobId: null,
};

/** Of a line that was not understood, or did not come whole: nobody knows what its sender wants to be told. */
const OF_NO_REQUEST = { jobId: false, version: null, notSent: true } as const;

/** Of progress that has not been taken. Several steps may come at once; a slow reader is told of the newest. */
const MOST_UNTOLD = { frames: 16, bytes: 4096 };

/** Progress that has not been taken, the oldest first. */
class Untold {
  private readonly frames: ProgressFrame[] = [];
  private bytes = 0;

  add(frame: ProgressFrame): void {
    this.frames.push(frame);
    this.bytes += sizeOf(frame);
    const { frames, bytes } = MOST_UNTOLD;
    while (this.frames.length > frames || (this.bytes > bytes && this.frames.length > 1))
      this.take();
  }

  take(): ProgressFrame | null {
    const frame = this.frames.shift() ?? null;
    if (frame) this.bytes -= sizeOf(frame);
    return frame;
  }
}

function sizeOf({ percent, description }: ProgressFrame): number {
  return percent.length + description.length;
}

/** through2 makes its stages of a copy of Node's stream classes. */
export type Stage = ReturnType<typeof objectTransform>;

/**
 * A stage runs only while what comes after it has room. So a lease is acquired here, and not
 * before: a client that does not read holds none, and one that dies leaves none behind.
 */
export function forward(forwarding: Forwarding): Stage {
  const stage = objectTransform({ highWaterMark: 1 }, (turn: Turn, _encoding, next) => {
    const { incoming } = turn;
    const { id } = incoming;
    const options = incoming.request ?? { ...OF_NO_REQUEST, closes: incoming.closes === true };
    const text = textOf(incoming);
    const push = (frame: Frame, onTaken: Outgoing['onTaken'] = null) =>
      stage.push({ frame, id, options, text, onTaken } satisfies Outgoing);
    const untold = new Untold();
    let isAnswered = false;
    const tellNext = () => {
      const frame = isAnswered ? null : untold.take();
      if (frame) push(frame, tellNext);
    };
    const progress = (frame: ProgressFrame) => {
      if (isAnswered) return;
      untold.add(frame);
      if (stage.readableLength === 0) tellNext();
    };
    const event: Context['event'] = (frame, onTaken) => {
      if (!isAnswered) push(frame, onTaken);
    };
    // Of a client that is gone nothing is taken: its request is never run.
    const confirm = text?.sized ? () => new Promise<void>((taken) => push(READ, taken)) : null;
    void answer(incoming, forwarding, { progress, event, confirm }).then((frame) => {
      isAnswered = true;
      for (let frame = untold.take(); frame; frame = untold.take()) push(frame);
      push(forwarding.admit(frame), turn.over);
      next();
    });
  });
  return stage;
}

function textOf(incoming: Incoming): TextForm | null {
  if (!incoming.request) return null;
  return incoming.verb?.format.text?.(incoming.request) ?? null;
}

/** Never rejects: exactly one final frame comes of every turn. */
async function answer(
  incoming: Incoming,
  { gate, client, check }: Forwarding,
  { progress, event, confirm }: Telling,
): Promise<FinalFrame> {
  if (!incoming.request) return errorFrame(incoming.error);
  const { request, verb } = incoming;
  try {
    if (!verb) throw new MidcltError('REQUEST', `Unknown command: ${request.command}`);
    check();
    if (confirm) await confirm();
    verb.check?.(request);
    const patience = verb.patience(request);
    const { clock } = gate.scheduler;
    const began = clock.now();
    const want: Want = {
      slotClass: () => verb.slotClass(request),
      onShortOfJobs: () => verb.onShortOfJobs?.(request),
      patience: patience.toSend,
    };
    const acquired = acquire(want, client, gate);
    const lease = acquired instanceof Promise ? await acquired : acquired;
    const timeout = timeLeft(patience, clock.now() - began);
    const deadline = patience.isShared ? began + (patience.toAnswer ?? Infinity) : Infinity;
    const { cancellation, isThere, number } = client;
    const context: Context = {
      lease,
      timeout,
      deadline,
      cancellation,
      isThere,
      progress,
      event,
      client: number,
    };
    try {
      return await verb.run(request, context);
    } finally {
      lease.release();
    }
  } catch (error) {
    const { onMistake } = gate;
    if (!onMistake || !isMistake(error)) return errorFrame(error);
    onMistake(error);
    return errorFrame(error, "The daemon's log shows where");
  }
}

function timeLeft({ toAnswer, isShared }: Patience, waited: number): number | null {
  return toAnswer === null || !isShared ? toAnswer : Math.max(1, toAnswer - waited);
}
