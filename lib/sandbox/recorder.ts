/** What the sandbox keeps of what it did: counts for tests, and a journal file of its calls. */
import * as fs from 'node:fs';
import type { MechanismName } from './login/accounts.js';
import { dict, dump, int, type PyValue } from './python/values.js';

/** So many messages are kept for tests to look at. */
const KEPT = 1000;

/** Calls that a client makes for its own sake, not for its user. */
const HOUSEKEEPING: ReadonlySet<string> = new Set(['core.subscribe', 'core.set_options']);

/** What the sandbox counted since its start. */
export interface Stats {
  /** Successful logins. The root login of a Unix connection is not counted. */
  readonly logins: number;
  /** The same by mechanism; auth.login and auth.login_with_api_key count as PASSWORD_PLAIN and API_KEY_PLAIN. */
  readonly loginsBy: Readonly<Record<MechanismName, number>>;
  readonly failedLogins: number;
  /** WebSockets ever accepted. */
  readonly connections: number;
  /** WebSockets open now. */
  readonly open: number;
  /** Valid requests that named a method. */
  readonly calls: number;
  /** The most calls at once that were received and not yet answered; core.subscribe and core.set_options left out. */
  readonly maxOutstanding: number;
  /** The same, but only those that had a slot. */
  readonly maxRunning: number;
  /** The most at once of calls not yet answered and of jobs that answered calls had started. */
  readonly maxBusy: number;
  /** Text messages received. */
  readonly messages: number;
  /** Downloads served to the end of their body. */
  readonly downloads: number;
  /** Uploads whose job was started and whose body was read. */
  readonly uploads: number;
}

export interface RecordedCall {
  /** Says that the call started a job that ends with this promise. */
  lasts(until: Promise<void>): void;
  /** Says that the call is answered. To be called once. */
  answered(): void;
}

/** Counts what goes on and keeps the last {@link KEPT} messages. */
export class Recorder {
  readonly stats = {
    logins: 0,
    loginsBy: { API_KEY_PLAIN: 0, PASSWORD_PLAIN: 0, TOKEN_PLAIN: 0, OTP_TOKEN: 0, SCRAM: 0 },
    failedLogins: 0,
    connections: 0,
    open: 0,
    calls: 0,
    maxOutstanding: 0,
    maxRunning: 0,
    maxBusy: 0,
    messages: 0,
    downloads: 0,
    uploads: 0,
  };
  readonly received: string[] = [];
  private readonly counts = new Map<string, number>();
  private outstanding = 0;
  private busy = 0;
  private running = 0;

  message(text: string): void {
    this.stats.messages += 1;
    this.received.push(text);
    if (this.received.length > KEPT) this.received.shift();
  }

  /** Counts a call that came in. */
  call(method: string): RecordedCall {
    this.stats.calls += 1;
    this.counts.set(method, this.countOf(method) + 1);
    if (HOUSEKEEPING.has(method)) return { lasts: () => undefined, answered: () => undefined };
    this.outstanding += 1;
    this.busy += 1;
    this.stats.maxOutstanding = Math.max(this.stats.maxOutstanding, this.outstanding);
    this.stats.maxBusy = Math.max(this.stats.maxBusy, this.busy);
    let end = Promise.resolve();
    return {
      lasts: (until) => {
        end = until;
      },
      answered: () => {
        this.outstanding -= 1;
        void end.then(() => {
          this.busy -= 1;
        });
      },
    };
  }

  /** Counts a call that got its slot. What is returned is to be called once, when the call gives the slot back. */
  run(method: string): () => void {
    if (HOUSEKEEPING.has(method)) return () => undefined;
    this.running += 1;
    this.stats.maxRunning = Math.max(this.stats.maxRunning, this.running);
    return () => {
      this.running -= 1;
    };
  }

  countOf(method: string): number {
    return this.counts.get(method) ?? 0;
  }
}

/** A file of the calls that were run, a JSON line each. A line is whole even when the process is killed. */
export class Journal {
  private file: number | null;

  /** Appends to the file. Throws the system's error. */
  constructor(path: string) {
    this.file = fs.openSync(path, 'a', 0o600);
  }

  /** To be called before the call is run. The parameters of logins are left out: they hold secrets. */
  record(method: string, params: PyValue[], connection: number): void {
    if (this.file === null) return;
    const shown = method.startsWith('auth.') ? {} : { params };
    fs.writeSync(this.file, `${dump(dict({ method, ...shown, connection: int(connection) }))}\n`);
  }

  close(): void {
    if (this.file !== null) fs.closeSync(this.file);
    this.file = null;
  }
}
