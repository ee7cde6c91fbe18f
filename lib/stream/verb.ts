/** A verb, as the stages know it: what reads its requests, what they wait for, and what runs them. */
import type { Cancellation } from '../cancellation.js';
import type { EventFrame, FinalFrame, ProgressFrame, Request } from '../protocol/frames.js';
import type { Parsed, VerbFormat, VerbTable } from '../protocol/request.js';
import type { Lease } from './scheduler.js';
import type { SlotClass } from './slots.js';

/** What a verb has at hand while it answers. */
export interface Context {
  /** Released when the verb has answered; a verb may do so sooner. */
  readonly lease: Lease;
  /** Milliseconds from sending to answer, or null for as long as it takes. */
  readonly timeout: number | null;
  /** By `steadyNow()`, for all of the request, where that has one time; else Infinity. */
  readonly deadline: number;
  /** Cancelled when the client has gone: nobody will read the answer. */
  readonly cancellation: Cancellation;
  /** Asks the system whether the client is there at this moment: its end may have come and be unread. */
  readonly isThere: () => true | Promise<boolean>;
  readonly progress: (frame: ProgressFrame) => void;
  /** Tells a subscriber. `onTaken` is called when the client has taken the frame: until then it takes memory. */
  readonly event: (frame: EventFrame, onTaken: () => void) => void;
  /** The connection's number, for the log; null within this process. */
  readonly client: number | null;
}

/** How long a request may take, in milliseconds; null is for ever. */
export interface Patience {
  /** Until it is sent. */
  readonly toSend: number | null;
  /** From then to its answer. */
  readonly toAnswer: number | null;
  /** The waiting counts for both: they are one and the same time. */
  readonly isShared: boolean;
}

/** How the requests of a verb are served. `M` are the members that only this verb has. */
export interface Service<M extends object = object> {
  /** Throws why the request may not be run here. */
  check?(request: Request & M): void;
  /** What it takes while the middleware is busy with it, by what is known now. */
  slotClass(request: Request & M): SlotClass;
  /** As `onShortOfJobs` of what a `Want` has. */
  onShortOfJobs?(request: Request & M): void;
  patience(request: Request & M): Patience;
  /** Resolves with the final frame; what it throws becomes an error frame. */
  run(request: Request & M, context: Context): Promise<FinalFrame>;
}

export interface Verb<M extends object = object> extends Service<M> {
  readonly format: VerbFormat<M>;
}

export type Verbs = VerbTable<Verb>;

/** A line as a request, with the verb that is to answer it, or what is wrong with it. */
export type Incoming = Parsed<Verb>;
