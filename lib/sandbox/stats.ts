/** Messages kept for tests to look at. */
const KEPT = 1000;

/** Calls that a client makes for its own sake, not for its user. */
const HOUSEKEEPING: ReadonlySet<string> = new Set(['core.subscribe', 'core.set_options']);

/** The ways of auth.login_ex to log in. */
export type Mechanism = 'API_KEY_PLAIN' | 'PASSWORD_PLAIN' | 'TOKEN_PLAIN' | 'OTP_TOKEN' | 'SCRAM';

/** What the sandbox counted since its start. */
export interface Stats {
  /** Successful logins, those of Unix connections not counted. */
  readonly logins: number;
  /** The same by mechanism; auth.login and auth.login_with_api_key count as theirs. */
  readonly loginsBy: Readonly<Record<Mechanism, number>>;
  readonly failedLogins: number;
  /** WebSockets ever accepted. */
  readonly connections: number;
  /** WebSockets open now. */
  readonly open: number;
  /** Valid requests that named a method. */
  readonly calls: number;
  /** Calls received and not yet answered, at most at once; core.subscribe and core.set_options left out. */
  readonly maxOutstanding: number;
  /** The same, but only those that had a slot. */
  readonly maxRunning: number;
  /** Calls not yet answered and, after their answer, the jobs they started: at most at once. */
  readonly maxBusy: number;
  /** Text messages received. */
  readonly messages: number;
}

export interface RecordedCall {
  /** The call started a job that ends with this promise. */
  lasts(until: Promise<void>): void;
  /** The call is answered. Once. */
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

  /** A call came in. */
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

  /** A call got its slot; what is returned is called once when it gives it back. */
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
