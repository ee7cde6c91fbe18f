/**
 * The path of a request. This is the only file that states the order of the stages, and what goes from one to the next:
 *
 *     socket ─bytes→ guard ─text→ split2 ─line→ parse ─Incoming→ serialize ─Turn→ forward
 *            forward ─Outgoing→ stringify ─EncodedFrame→ deliver ─bytes→ socket
 *
 * A request is over when the socket has taken its final frame. Deliver then calls that frame's `onTaken`; this is `over` of the
 * request's Turn, in which serialize tells the session (`onOver`) and lets the next request through.
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '../timer.js';
import { Parse, Stringify, type ParseHooks } from './codec.js';
import { Deliver } from './deliver.js';
import { forward, type Forwarding } from './forward.js';
import { LineLimit, splitLines, type LineLimits } from './guard.js';
import { Serialize } from './serialize.js';
import type { Incoming, Verbs } from './verb.js';

export interface PipelineOptions {
  readonly lines: LineLimits;
  readonly clock?: Clock | undefined;
  readonly verbs: Verbs;
  readonly forwarding: Forwarding;
  /** A request has come in; it counts from here, also while it waits its turn. */
  readonly onRequest: ParseHooks['onRequest'];
  /** A request is over: the socket has taken its final frame. */
  readonly onOver: (incoming: Incoming) => void;
  /** A stage has failed: the connection is of no use any more. */
  readonly onError: (error: Error) => void;
}

/** The stages that the session speaks to. */
export interface Pipeline {
  readonly guard: LineLimit;
  readonly serialize: Serialize;
  readonly deliver: Deliver;
}

/**
 * Joined by `pipe`, not by `stream.pipeline`: that destroys each stage with an error when the connection goes, which costs
 * more than all the rest of a short connection. `pipe` passes no errors on, so each stage's goes to `onError`; the session
 * listens to the socket's own, and stops the stages when the connection has ended.
 */
export function joinPipeline(socket: Duplex, options: PipelineOptions): Pipeline {
  const guard = new LineLimit({ ...options.lines, clock: options.clock });
  const serialize = new Serialize(options.onOver);
  const deliver = new Deliver(socket, options.clock);
  const stages: readonly NodeJS.ReadWriteStream[] = [
    guard,
    splitLines(),
    // Why the guard ended the input early becomes the last error frame, and parse makes those.
    new Parse(options.verbs, { failure: () => guard.failure, onRequest: options.onRequest }),
    serialize,
    forward(options.forwarding),
    new Stringify(),
  ];
  let last: NodeJS.ReadableStream = socket;
  for (const stage of stages) {
    stage.on('error', options.onError);
    last = last.pipe(stage);
  }
  deliver.on('error', options.onError);
  last.pipe(deliver);
  return { guard, serialize, deliver };
}
