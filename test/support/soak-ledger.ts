/** Every request of a soak: what it asked, what it may be answered, what became of it. */
import { createHash } from 'node:crypto';
import type { Dice } from './garbage.js';
import type { Frame } from './wire.js';

const KINDS = {
  echo: 6,
  fail: 2,
  sleep: 2,
  job: 4,
  transient: 1,
  emit: 1,
  late: 1,
  ping: 2,
  /** For faults. */
  stuck: 0,
} as const;

export type Kind = keyof typeof KINDS;

const MIX = (Object.keys(KINDS) as Kind[]).flatMap((kind) => Array<Kind>(KINDS[kind]).fill(kind));

/** What has become of a request, as its client was told. */
export type Fate = 'open' | 'answered' | 'unknown' | 'not sent' | 'abandoned' | 'wrong';

export interface Entry {
  readonly id: string;
  readonly kind: Kind;
  /** The content that no other request has. */
  readonly content: string;
  readonly line: string;
  /** As the journal has it: method and params, which no other request has. */
  readonly key: string | null;
  /** The frame it is answered with when nothing goes wrong. */
  readonly expected: Frame;
  /** The result of a call that is given up: it may come first where nobody had the processor in time. */
  readonly late?: unknown;
  readonly sent: number;
}

/** What the server is said to have done with a request, and how often it did. */
interface Account {
  fate: Fate;
  runs: number;
}

/**
 * Something that ends what the server knows (`kill`) or the connection to it (`loss`), that keeps clients from the
 * daemon (`crowd`), the daemon from everything (`halt`), or ends the daemon (`end`).
 */
export type Trouble = 'kill' | 'loss' | 'crowd' | 'halt' | 'end';

/** Milliseconds after a trouble in which a request may still fall victim to it. */
const AFTERMATH = 2000;
/** The same for those that can't be sent: the daemon may have to wait for its budget of logins. */
const LONG_AFTERMATH = 120_000;

export const UNKNOWN =
  /The connection to the middleware was lost \(.*\); the outcome of \S+ is unknown/;
export const NOT_SENT = /Call timeout: waited [\d.]+ s for .*; the call was not sent/s;
export const FORGOTTEN =
  /The connection to the middleware was lost while job \d+ ran, .*; its outcome is unknown/;
/** Of a transient job nothing is kept at its end, which may come before anybody asks for it. */
const GONE =
  /Job \d+ ended; the server keeps no result of it|The server knows job \d+ no longer; its outcome is unknown/;
export const REFUSED = /which is its limit \(.*\); the request was not sent/;

/** A daemon has gone: before it read the request, or who knows when. */
const NOT_READ =
  /The daemon is shutting down; the request was not sent|ended before it read the request/;
const WENT = /The daemon went away before it answered|The daemon is shutting down; job \d+ goes on/;

export class Ledger {
  /** What no request may meet with: a few of a kind. */
  readonly violations: string[] = [];
  /** And how many there were. */
  wrong = 0;
  private readonly kinds = new Map<string, number>();
  readonly counts: Record<Fate, number> = {
    ...{ open: 0, answered: 0, unknown: 0, 'not sent': 0, abandoned: 0, wrong: 0 },
  };
  sent = 0;
  forgotten = 0;
  misrouted = 0;
  doubled = 0;
  /** Milliseconds that the slowest answer took. */
  longest = 0;
  private readonly open = new Map<string, Entry>();
  private readonly accounts = new Map<string, Account>();
  private readonly troubles: Record<Trouble, number> = {
    ...{ kill: -Infinity, loss: -Infinity, crowd: -Infinity, halt: -Infinity, end: -Infinity },
  };
  /** How often the connection was lost. */
  losses = 0;
  /** How often the daemon ended. */
  ends = 0;

  constructor(private readonly dice: Dice) {}

  /** A request of a random kind, with content of its own. `size` characters are added to it. */
  ask(more: object, size = 0, kinds: readonly Kind[] = MIX): Entry {
    const { random, pick } = this.dice;
    const number = this.sent++;
    const kind = pick(kinds);
    const content = `${number}/${random()}${'x'.repeat(random() * size)}`;
    const seconds = Number(`0.0${1 + Math.floor(random() * 4)}${1_000_000 + number}`);
    const id = `r${number}`;
    const job = [1, seconds * 10, null, content];
    const [method, params, outcome] = (
      {
        echo: ['test.echo', [content], { type: 'result', result: [content] }],
        fail: [
          'test.fail',
          [2, content, { content }],
          { type: 'error', error: `[ENOENT] ${content}`, extra: { content } },
        ],
        sleep: ['test.sleep', [seconds], { type: 'result', result: seconds }],
        job: ['test.job', job, { type: 'result', result: content }],
        transient: ['test.job_transient', job, { type: 'result', result: content }],
        emit: ['test.emit', ['ADDED', { number, content }], { type: 'result', result: 1 }],
        late: ['test.sleep', [1 + seconds], { type: 'error', error: 'Call timeout' }],
        stuck: ['test.sleep', [12 + seconds], { type: 'error', error: 'Call timeout' }],
        ping: ['', [], { type: 'result', result: 'pong' }],
      } as const
    )[kind];
    const kwargs = {
      ...(outcome.type === 'result' && method.startsWith('test.job') ? { job: true } : {}),
      ...(kind === 'late' || kind === 'stuck' ? { timeout: 0.5 } : {}),
    };
    const request =
      kind === 'ping'
        ? { command: 'ping' }
        : {
            ...{ command: 'call', method, params },
            ...(Object.keys(kwargs).length > 0 ? { kwargs } : {}),
          };
    const key = kind === 'ping' ? null : keyOf(method, params);
    const entry: Entry = {
      ...{ id, kind, content, key },
      line: `${JSON.stringify({ ...request, id, ...more })}\n`,
      expected: { id, ...outcome },
      ...(kind === 'late' || kind === 'stuck' ? { late: params[0] } : {}),
      sent: performance.now(),
    };
    this.enter(entry);
    return entry;
  }

  /** A call that a process makes of its own, which the server has under this key. */
  note(kind: Kind, method: string, params: readonly unknown[]): Entry {
    const id = `r${this.sent++}`;
    const entry: Entry = {
      ...{ id, kind, content: '', line: `${method} ${JSON.stringify(params)}`, expected: { id } },
      ...{ key: keyOf(method, params), sent: performance.now() },
    };
    this.enter(entry);
    return entry;
  }

  private enter(entry: Entry): void {
    this.open.set(entry.id, entry);
    if (entry.key !== null) this.accounts.set(entry.key, { fate: 'open', runs: 0 });
  }

  /** A final frame came where this request's was due. */
  take(entry: Entry, frame: Frame): void {
    const verdict = this.verdictOn(entry, frame);
    if (typeof verdict !== 'string') {
      this.settle(entry, 'wrong');
      this.violate(`${verdict.problem}: ${entry.line.slice(0, 120)}`, frame);
    } else this.settle(entry, verdict);
  }

  /** What has become of a request is known. */
  settle(entry: Entry, fate: Fate): void {
    if (!this.open.delete(entry.id)) {
      this.doubled++;
      this.violate(`answered twice: ${entry.line.slice(0, 120)}`);
      return;
    }
    this.counts[fate]++;
    if (fate === 'answered') this.longest = Math.max(this.longest, performance.now() - entry.sent);
    const account = entry.key === null ? undefined : this.accounts.get(entry.key);
    // What was given up may have been on a way that swallowed it.
    if (account) account.fate = fate === 'answered' && entry.late !== undefined ? 'unknown' : fate;
  }

  /** A frame came that nobody waits for, or where another's was due. */
  stray(what: string, frame: Frame): void {
    const number = Number(/^r(\d+)$/.exec(String(frame.id))?.[1] ?? NaN);
    if (number < this.sent && !this.open.has(`r${number}`)) this.doubled++;
    else this.misrouted++;
    this.violate(what, frame);
  }

  /** Makes such trouble: what is under way meanwhile, or soon after, may fall victim to it. */
  async during(kinds: readonly Trouble[], act: () => Promise<void> | void): Promise<void> {
    for (const kind of kinds) this.troubles[kind] = Infinity;
    await act();
    for (const kind of kinds) this.troubles[kind] = performance.now();
  }

  violate(what: string, frame?: Frame): void {
    const shown = frame === undefined ? '' : ` got ${JSON.stringify(frame).slice(0, 300)}`;
    this.wrong++;
    const kind = what.slice(0, 16);
    const alike = (this.kinds.get(kind) ?? 0) + 1;
    this.kinds.set(kind, alike);
    if (alike <= 5) this.violations.push(`${what.trimEnd()}${shown}`);
  }

  /** Has there been such a trouble while the request was under way, or just before? */
  happened({ sent }: Pick<Entry, 'sent'>, trouble: Trouble, before = AFTERMATH): boolean {
    return this.troubles[trouble] + before >= sent;
  }

  /** What a text of an error means for a request; what is wrong with it, if it must not be said of this one. */
  errorVerdict(entry: Entry, error: string): Fate | { readonly problem: string } {
    const allowed = (fate: Fate, trouble: Trouble, problem: string, before?: number) =>
      this.happened(entry, trouble, before) ? fate : { problem };
    if (UNKNOWN.test(error)) return allowed('unknown', 'loss', 'lost without a loss');
    if (entry.kind === 'transient' && (FORGOTTEN.test(error) || GONE.test(error))) {
      this.forgotten++;
      return 'unknown';
    }
    if (FORGOTTEN.test(error)) {
      this.forgotten++;
      return allowed('unknown', 'kill', 'a job forgotten by a server that lives');
    }
    if (NOT_SENT.test(error)) {
      // A call with a short timeout may have to wait for that long whatever happens.
      if (entry.kind === 'late' || entry.kind === 'stuck') return 'not sent';
      return allowed('not sent', 'loss', 'not sent without a loss', LONG_AFTERMATH);
    }
    if (NOT_READ.test(error)) return allowed('not sent', 'end', 'refused by a daemon that stays');
    if (WENT.test(error)) return allowed('unknown', 'end', 'left by a daemon that stays');
    if (REFUSED.test(error)) return allowed('not sent', 'crowd', 'refused without a crowd');
    return { problem: 'a wrong answer' };
  }

  /** What an answer means; what is wrong with it, if it is neither the right one nor the right way to say there is none. */
  private verdictOn(entry: Entry, frame: Frame): Fate | { readonly problem: string } {
    const { expected } = entry;
    const isRight = Object.entries(expected).every(
      ([name, value]) => JSON.stringify(frame[name]) === JSON.stringify(value),
    );
    const isLate = frame.type === 'result' && frame.result === entry.late;
    if (isRight || (isLate && frame.id === expected.id)) return 'answered';
    const error = typeof frame.error === 'string' ? frame.error : '';
    // The daemon closes a connection that is one too many behind a frame without an id.
    const isRefused = frame.id === undefined && REFUSED.test(error);
    if (frame.id !== expected.id && !isRefused) {
      this.misrouted++;
      return { problem: 'the answer to another request' };
    }
    if (frame.type === 'result') this.misrouted++;
    return this.errorVerdict(entry, error);
  }

  /** The server has run what the journal has under this key. */
  ran(key: string, shown: string): void {
    const account = this.accounts.get(key);
    if (!account) {
      this.misrouted++;
      this.violate(`run, and asked by nobody: ${shown.slice(0, 120)}`);
    } else if (++account.runs > 1) {
      this.doubled++;
      this.violate(`run ${account.runs} times: ${shown.slice(0, 120)}`);
    }
  }

  /** Holds what clients were told against what the server has run; to be asked at the end. */
  compare(): void {
    for (const { line } of this.open.values())
      this.violate(`never answered: ${line.slice(0, 120)}`);
    let invented = 0;
    let ranAllTheSame = 0;
    for (const { fate, runs } of this.accounts.values()) {
      if (fate === 'answered' && runs === 0) invented++;
      if (fate === 'not sent' && runs > 0) ranAllTheSame++;
    }
    if (invented > 0) this.violate(`${invented} answered, and never run`);
    if (ranAllTheSame > 0) this.violate(`${ranAllTheSame} said to be not sent, and run`);
  }

  /** Requests without an answer, whose clients lived. */
  get lost(): number {
    return this.open.size;
  }
}

/** Short, since an hour has many. */
export function keyOf(method: string, params: readonly unknown[]): string {
  const text = `${method} ${JSON.stringify(params)}`;
  return createHash('sha1').update(text).digest('base64').slice(0, 16);
}
