/** The calls sent over one WebSocket that wait for their answers. */
import { Alarm, steadyNow } from '../../timer.js';
import { MidcltError } from '../../errors.js';
import type { Json } from '../../protocol/frames.js';

/** The part of a request's lease that its calls have to do with. */
export interface CallLease {
  /** Holds it until what this returns is called: when the server is done with the call. */
  readonly share: () => () => void;
  /** The call was given up, and still runs at the server. */
  readonly giveUp: () => void;
}

export interface SendOptions {
  /** Milliseconds from sending to answer; null waits for ever. */
  readonly timeout: number | null;
  /** Of the request that the call is made for; none for calls that hold no slot. */
  readonly lease?: CallLease | null | undefined;
}

export interface PendingCall {
  readonly method: string;
  readonly resolve: (result: Json) => void;
  readonly reject: (error: MidcltError) => void;
}

interface Entry extends PendingCall {
  readonly lease: CallLease | null | undefined;
  /** Lets go of the lease; more often does no harm. */
  readonly letGo: (() => void) | undefined;
  /** By {@link steadyNow}; Infinity for none, or when it is past. */
  deadline: number;
  isGivenUp: boolean;
}

export class PendingCalls {
  private readonly calls = new Map<string, Entry>();
  private readonly alarm = new Alarm((now) => this.giveUp(now));
  /** Is nothing kept for a call that was given up? */
  private areFreed = false;

  get size(): number {
    return this.calls.size;
  }

  has(id: string): boolean {
    return this.calls.has(id);
  }

  /** Resolves with the answer, or rejects with a `TIMEOUT`, as whoever settles it says. */
  add(id: string, method: string, { timeout, lease }: SendOptions): Promise<Json> {
    return new Promise((resolve, reject) => {
      const deadline = steadyNow() + (timeout ?? Infinity);
      const letGo = lease?.share();
      this.calls.set(id, { method, lease, letGo, deadline, isGivenUp: false, resolve, reject });
      this.alarm.by(deadline);
    });
  }

  /** The call with this id is over at the server. Undefined where there is no such call. */
  settle(id: string): PendingCall | undefined {
    const call = this.calls.get(id);
    this.calls.delete(id);
    call?.letGo?.();
    return call;
  }

  /** None of them is going to be answered; `why` is a sentence. */
  lose(why: string): void {
    this.alarm.stop();
    for (const id of [...this.calls.keys()]) {
      const call = this.settle(id);
      const text = `${why}; the outcome of ${call?.method ?? ''} is unknown`;
      call?.reject(new MidcltError('LOST', text));
    }
  }

  /** Calls that were given up, or will be, hold their leases no longer, though the server is not done with them. */
  freeGivenUp(): void {
    this.areFreed = true;
    for (const call of this.calls.values()) if (call.isGivenUp) call.letGo?.();
  }

  /** Calls whose time is up. The server may still be at work on them. */
  private giveUp(now: number): number {
    let nearest = Infinity;
    for (const call of this.calls.values()) {
      if (call.deadline <= now) {
        call.deadline = Infinity;
        call.isGivenUp = true;
        if (this.areFreed) call.letGo?.();
        else call.lease?.giveUp();
        call.reject(new MidcltError('TIMEOUT', 'Call timeout'));
      }
      nearest = Math.min(nearest, call.deadline);
    }
    return nearest;
  }
}
