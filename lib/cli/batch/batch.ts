/**
 * `batch`: requests as NDJSON in, their answers in the same order out, several under way at once.
 *
 *     input → as many workers as connections → order → output
 *                                                └──→ ledger: counts, and what is to be looked at
 *
 * Everything is pulled: a worker that is free takes the next line, if the order has room for its
 * answer. So what is slow, stdout or a request, holds up the reading, and nothing piles up.
 */
import { isatty } from 'node:tty';
import { setFlagsFromString } from 'node:v8';
import type { Core } from '../../compose.js';
import { asMidcltError, type MidcltError } from '../../errors.js';
import { Command } from '../../protocol/frames.js';
import { steadyNow } from '../../timer.js';
import type { Arguments } from '../args/arguments.js';
import { Stopwatch, withCore } from '../commands/direct.js';
import { endingSignals } from '../commands/signals.js';
import { daemonAddress, verificationMember, withDaemon } from '../commands/via-daemon.js';
import { isTerminal, sayLine, writeErr } from '../output/output.js';
import { BatchConnection } from './connection.js';
import { BatchInput, sizeOf } from './input.js';
import { Ledger } from './ledger.js';
import { BatchOutput, ReorderBuffer } from './output.js';
import { requestOf } from './request.js';
import { StatusLine } from './status-line.js';
import { daemonOf, daemonWorker, localWorker, put, type Job, type Worker } from './workers.js';

/** Answers that may wait for the one before them: two seconds' worth of them, and 16 MB. */
const WINDOW = { places: 16 * 1024, bytes: 16 * 1024 * 1024 };

/** Milliseconds in which an interrupted batch gets rid of the answers that it has. */
const LAST_WORDS = 2000;
const STDOUT = 1;
/** No further request was taken, for a reason of the batch's own. */
const STOPPED = 'Stopped';

/** Gives others the terminal for as long as the action takes. */
type Aside = <T>(action: () => Promise<T>) => Promise<T>;

/** The exit code: 0 if every request had a result. Throws why no request could be made, or no answer printed. */
export async function runBatch(args: Arguments): Promise<number> {
  // V8 would let what is young grow to 32 MB in a long batch, and be no faster.
  setFlagsFromString('--semi-space-growth-factor=1');
  const batch = new Batch(args);
  const code = await (args.useDaemon
    ? throughDaemon(args, batch)
    : withCore(args, (core) => directly(args, core, batch), new Stopwatch(args.timeout || null)));
  if (batch.signal) process.kill(process.pid, batch.signal);
  return code;
}

async function throughDaemon(args: Arguments, batch: Batch): Promise<number> {
  const { uri, parallel, progress } = args;
  const address = daemonAddress(args);
  const member = verificationMember(uri, args.insecure);
  const options = { progress, member, patience: Math.floor(WINDOW.bytes / parallel) };
  const connections = Array.from({ length: parallel }, () => new BatchConnection(address, options));
  await withDaemon(args, async () => connections[0]?.open()); // without a daemon nothing is read
  return batch.run((aside) => {
    const daemon = daemonOf(args, aside);
    return connections.map((connection) => daemonWorker(connection, daemon));
  });
}

function directly({ parallel, progress }: Arguments, core: Core, batch: Batch): Promise<number> {
  return batch.run(() =>
    Array.from({ length: parallel }, () => localWorker(core.local(), progress)),
  );
}

class Batch {
  /** What has interrupted it. */
  signal: NodeJS.Signals | null = null;

  private readonly output = new BatchOutput();
  private readonly order = new ReorderBuffer(this.output, WINDOW);
  private readonly input: BatchInput;
  private readonly ledger: Ledger;
  private status: StatusLine | null = null;
  private failures = 0;
  /** Why no further line is taken, for a person. */
  private stopped: string | null = null;
  /** Of the requests that failed and ended it, the first in the input. */
  private firstFailed = Infinity;

  constructor(private readonly args: Arguments) {
    this.ledger = new Ledger(args);
    this.input = new BatchInput(args.files, args.resumeFrom - 1, (message) => {
      this.complain(message);
    });
  }

  /** Returns the exit code. Throws a `BROKEN_PIPE` or `FILES` error when stdout takes no more. */
  async run(workersOf: (aside: Aside) => readonly Worker[]): Promise<number> {
    const { input, ledger, output } = this;
    const workers = workersOf((action) => this.status?.aside(action) ?? action());
    const interruption = this.interruption();
    let isPrinted = true;
    let thrown: MidcltError | null = null;
    try {
      const inputs = input.stats();
      ledger.open(inputs, () => {
        this.stop(STOPPED);
      });
      this.status = this.statusLine(sizeOf(inputs));
      this.status?.start();
      await Promise.race([this.dispatch(workers), output.failed, interruption.came]);
      if (this.signal) isPrinted = await this.wind(workers);
      else await output.flushed();
    } catch (error) {
      thrown = asMidcltError(error);
      await this.wind(workers);
    }
    interruption.forget();
    input.close();
    for (const worker of workers) worker.close();
    this.status?.end();
    const { stopped } = this; // from here on there is nothing left to stop
    const failure = ledger.close();
    if (thrown) {
      if (failure !== null) sayLine(`Error: ${failure}`);
      const isUnread = thrown.code === 'BROKEN_PIPE';
      if (!ledger.hasBegun || (isUnread && !this.isToGoOn())) throw thrown;
      const why = isUnread ? `${STOPPED}: nobody reads the answers` : `Error: ${thrown.message}`;
      ledger.sayWhereItStands(why, false);
      return 1;
    }
    this.sayHowItEnded(stopped, failure, isPrinted);
    return this.failures + ledger.failures > 0 ? 1 : 0;
  }

  /** Takes a line when a worker is free and the window has room for its answer. Resolves when all are answered. */
  private async dispatch(workers: readonly Worker[]): Promise<void> {
    const { order, ledger } = this;
    const timeout = this.args.timeout || null; // 0 means the default
    // The first of all, whose connection is open already, comes first: a Python daemon reads it before any other.
    const free = workers.toReversed();
    let onFree: () => void = () => undefined;
    for await (const source of this.input.lines()) {
      const request = requestOf(source, timeout);
      // What stands before a stop is answered before it is sent, what stands behind it waits for it.
      const alone = request.incoming.request?.command === Command.STOP;
      if (alone) await order.idle();
      await order.room();
      if (free.length === 0) await new Promise<void>((resolve) => (onFree = resolve));
      const worker = free.pop();
      if (this.stopped !== null || !worker) break;
      const job: Job = { source, request, number: ledger.take(), place: order.take() };
      void this.work(worker, job).then(() => {
        free.push(worker);
        onFree();
      });
      if (alone) await order.idle();
    }
    await order.idle();
  }

  private async work(worker: Worker, job: Job): Promise<void> {
    const { request, place, number } = job;
    const outcome = request.refusal ? put(place, request.refusal) : await worker.answer(job);
    this.ledger.settle(job, outcome);
    if (outcome === 'result' || !this.args.stopOnError) return;
    this.firstFailed = Math.min(this.firstFailed, number);
    this.stop(STOPPED);
  }

  /** Takes no further line. */
  private stop(why: string): void {
    this.stopped ??= why;
    this.input.close();
  }

  /** Gives up what is under way, and waits until all there is to be printed is; true if it was. */
  private async wind(workers: readonly Worker[]): Promise<boolean> {
    this.stop(STOPPED);
    for (const worker of workers) worker.giveUp();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, LAST_WORDS, false);
    });
    const printed = async () => {
      await this.order.idle();
      await this.output.flushed();
      return true;
    };
    const isPrinted = await Promise.race([printed().catch(() => false), late]);
    clearTimeout(timer);
    return isPrinted;
  }

  /** The first signal ends it in order, a second one at once. */
  private interruption(): { readonly came: Promise<void>; readonly forget: () => void } {
    const signals = endingSignals();
    let onSignal: (signal: NodeJS.Signals) => void = () => undefined;
    const forget = () => {
      for (const signal of signals) process.off(signal, onSignal);
    };
    const came = new Promise<void>((resolve) => {
      onSignal = (signal) => {
        forget();
        this.signal = signal;
        this.stopped = 'Interrupted';
        resolve();
      };
    });
    for (const signal of signals) process.on(signal, onSignal);
    return { came, forget };
  }

  /**
   * Do its options say that what has come of each request matters? To `batch | head` alone, of which nobody wants
   * more, there is nothing to say.
   */
  private isToGoOn(): boolean {
    const { failed, unknown, resumeFrom, stopOnError } = this.args;
    return failed !== null || unknown !== null || resumeFrom > 1 || stopOnError;
  }

  /** `failure`: why a file of requests is not complete. */
  private sayHowItEnded(stopped: string | null, failure: string | null, isPrinted: boolean): void {
    const { input, args } = this;
    const isFailed = stopped === STOPPED && this.firstFailed < Infinity;
    const reason = isFailed ? `${STOPPED}: request ${this.firstFailed} failed` : stopped;
    const why = failure === null ? reason : `Error: ${failure}`;
    if (stopped !== null) this.ledger.sayWhereItStands(why ?? '', isPrinted);
    else if (why !== null) sayLine(why);
    else if (input.skipped < args.resumeFrom - 1) {
      this.complain(`There is no request ${args.resumeFrom}: the input has ${input.skipped}`);
    }
  }

  private complain(message: string): void {
    this.failures++;
    this.status?.erase();
    sayLine(`Error: ${message}`);
  }

  /** Null where nobody sees it, or where the answers go to a terminal: it would stand among them. */
  private statusLine(size: number | null): StatusLine | null {
    const { input } = this;
    const isWanted = this.args.status && isTerminal() && process.env.TERM !== 'dumb';
    if (!isWanted || isatty(STDOUT)) return null;
    const out = {
      get columns() {
        return process.stderr.columns;
      },
      write: writeErr,
    };
    const progress = () => ({
      ...this.ledger.counted,
      part: size ? Math.min(1, input.bytes / size) : null,
    });
    return new StatusLine(out, progress, steadyNow);
  }
}
