/** For tests of stages: a clock that the test sets, verbs of its own, and turns of the event loop. */
import type { Readable } from 'node:stream';
import { Cancellation } from '../../lib/cancellation.js';
import type { FinalFrame, ProgressFrame, Request } from '../../lib/protocol/frames.js';
import { oneStep } from '../../lib/steps.js';
import type { Gate } from '../../lib/stream/acquire.js';
import { Scheduler } from '../../lib/stream/scheduler.js';
import type { Slots } from '../../lib/stream/slots.js';
import type { Context, Incoming, Verb } from '../../lib/stream/verb.js';
import { LONGEST, type Clock, type Timer } from '../../lib/timer.js';

interface Waiting extends Timer {
  readonly callback: () => void;
  due: number;
}

/** Stands still until the test lets time pass. */
export class TestClock implements Clock {
  private time = 1000;
  private readonly timers = new Set<Timer & Waiting>();

  /** What waits for its time. */
  get waiting(): number {
    return this.timers.size;
  }

  now(): number {
    return this.time;
  }

  after(milliseconds: number | null, callback: () => void): Timer | undefined {
    if (milliseconds === null || milliseconds > LONGEST) return undefined;
    const timer: Waiting = {
      callback,
      due: this.time + milliseconds,
      refresh: () => {
        timer.due = this.time + milliseconds;
        this.timers.add(timer);
      },
      unref: () => undefined,
    };
    this.timers.add(timer);
    return timer;
  }

  clear(timer: Timer | undefined): void {
    if (timer) this.timers.delete(timer as Waiting);
  }

  /** What is due meanwhile is called, each at its time. */
  pass(milliseconds: number): void {
    const end = this.time + milliseconds;
    for (;;) {
      const [next] = [...this.timers].sort((one, other) => one.due - other.due);
      if (!next || next.due > end) break;
      this.time = Math.max(this.time, next.due);
      this.timers.delete(next);
      next.callback();
    }
    this.time = end;
  }
}

/** One turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** So many turns that whatever could go on has. */
export async function rest(): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await turn();
}

/** Takes turns until it is so. */
export async function soon(check: () => boolean): Promise<void> {
  for (let turns = 0; !check(); turns++) {
    if (turns > 10_000) throw new Error('waited in vain');
    await turn();
  }
}

/** What a stage gives, as it is taken. */
export function takenFrom<T>(stage: Pick<Readable, 'on'>): T[] {
  const taken: T[] = [];
  stage.on('data', (each: T) => taken.push(each));
  return taken;
}

/** A request that a verb is busy with: it ends when the test says so. */
export interface Running {
  readonly request: Request;
  readonly context: Context;
  readonly progress: (percent: number, description?: string) => void;
  /** With the JSON of a result. */
  readonly end: (result: string) => void;
  readonly fail: (error: unknown) => void;
}

/** A verb whose requests wait for the test. */
export function verbOf(running: Running[], more: Partial<Verb> = {}): Verb {
  return {
    format: { names: [], read: () => oneStep({}) },
    slotClass: () => 'call',
    patience: () => ({ toSend: null, toAnswer: null, isShared: false }),
    run: (request, context) =>
      new Promise<FinalFrame>((resolve, reject) => {
        running.push({
          request,
          context,
          progress: (percent, description) => {
            context.progress(progressOf(percent, description));
          },
          end: (result) => {
            resolve(resultOf(result));
          },
          fail: reject,
        });
      }),
    ...more,
  };
}

export function resultOf(json: string): FinalFrame {
  return { type: 'result', result: Buffer.from(json) };
}

export function progressOf(percent: number, description: string | null = null): ProgressFrame {
  const told = Buffer.from(JSON.stringify(description));
  return {
    ...{ type: 'progress', percent: Buffer.from(String(percent)), description: told },
    ...{ state: 'RUNNING', jobId: 1 },
  };
}

/** A request, as the parser makes it. */
export function incomingOf(verb: Verb | null, id: number, more: Partial<Request> = {}): Incoming {
  const request: Request = {
    ...{ command: 'call', id: Buffer.from(String(id)), close: false, keep: false, jobId: false },
    ...{ insecure: null, notSent: false, errorCode: false, version: null },
    ...more,
  };
  return { request, verb, id: request.id };
}

/** A gate that is open, unless the test shuts it, over slots by the test's clock. */
export class TestGate implements Gate {
  readonly clock = new TestClock();
  readonly scheduler: Scheduler;
  /** Can something be sent? */
  isOpen = true;
  /** Those who wait for it, with what they would wait for at most. */
  readonly waiting: { client: Cancellation; patience: number | null; waited: number }[] = [];
  private readonly waking: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  constructor({ calls = 1, jobs = calls, lookUps = 1 }: Partial<Slots> = {}) {
    this.scheduler = new Scheduler({ calls, jobs, lookUps }, undefined, this.clock);
  }

  readonly isReady = () => this.isOpen;

  readonly ready: Gate['ready'] = (client, patience, waited) => {
    this.waiting.push({ client, patience, waited });
    return new Promise((resolve, reject) => {
      this.waking.push({ resolve, reject });
    });
  };

  open(): void {
    this.isOpen = true;
    this.wake();
  }

  /** Those who wait go on, whether it is open or not. */
  wake(): void {
    for (const { resolve } of this.waking.splice(0)) resolve();
  }

  fail(error: unknown): void {
    for (const { reject } of this.waking.splice(0)) reject(error);
  }
}
