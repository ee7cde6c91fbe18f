/**
 * A session without a socket, for calls made in this process: requests and frames as objects
 * through the same stages,
 *
 *     serialize → forward
 */
import { Cancellation } from '../cancellation.js';
import {
  MessageType,
  type EventFrame,
  type FinalFrame,
  type ProgressFrame,
  type Request,
} from '../protocol/frames.js';
import type { Gate } from './acquire.js';
import type { Outgoing } from './codec.js';
import { forward, type Stage } from './forward.js';
import { Serialize } from './serialize.js';
import type { Incoming, Verbs } from './verb.js';

/** What a request of this process has beside its command and the members of its verb. */
export const ENVELOPE: Omit<Request, 'command'> = {
  id: null,
  close: false,
  keep: false,
  jobId: true,
  notSent: false,
  errorCode: false,
  version: null,
  insecure: null,
};

export class LocalSession {
  private readonly cancellation = new Cancellation();
  private readonly serialize: Serialize;
  private readonly frames: Stage;
  private onFrame: (out: Outgoing) => void = () => undefined;

  constructor(
    private readonly verbs: Verbs,
    gate: Gate,
  ) {
    const { cancellation } = this;
    this.serialize = new Serialize(() => undefined);
    this.frames = forward({
      gate,
      client: { cancellation, isAlive: () => true, isThere: () => true, number: null },
      check: () => undefined,
      admit: (frame) => frame, // whoever asks in this process has the memory, too
    });
    // To find out whether it may end them, Node would open stdout and stderr, and make them non-blocking for all who share them.
    this.serialize.pipe(this.frames, { end: false });
    this.frames.on('data', (out: Outgoing) => {
      this.onFrame(out);
    });
  }

  /**
   * Resolves with the final frame. One request at a time: wait for it before the next. An event has been taken when
   * the promise resolves that `onEvent` returns, or at once.
   */
  ask(
    request: Request,
    onProgress: (frame: ProgressFrame) => void,
    onEvent: (frame: EventFrame) => unknown = () => undefined,
  ): Promise<FinalFrame> {
    return new Promise((resolve) => {
      this.onFrame = ({ frame, onTaken }) => {
        let taken: unknown;
        if (frame.type === MessageType.PROGRESS) onProgress(frame);
        else if (frame.type === MessageType.EVENT) taken = onEvent(frame);
        else resolve(frame);
        if (taken instanceof Promise) void taken.then(() => onTaken?.());
        else onTaken?.();
      };
      const verb = this.verbs.get(request.command);
      this.serialize.write({ request, verb, id: request.id } satisfies Incoming);
    });
  }

  /** Nobody waits for an answer any more. */
  close(): void {
    this.cancellation.cancel();
  }
}
