/** Every request of a soak: what it asked, what it may be answered, what became of it. */
import type { Dice } from './garbage.js';
import { keyOf, MIX, requestOf, type Entry, type Kind } from './soak-requests.js';
import { AFTERMATH, Troubles, type Trouble } from './soak-troubles.js';
import type { Frame } from './wire.js';

/** What has become of a request, as its client was told. */
export type Fate = 'open' | 'answered' | 'unknown' | 'not sent' | 'abandoned' | 'wrong';

/** What the server is said to have done with a request, and how often it did. */
interface Account {
  fate: Fate;
  runs: number;
  readonly entry: Entry;
  /** When its fate was told. */
  settled: number;
  /** As it was told, for who has to explain it. */
  told: string;
}

/** Milliseconds that what was sent may wait unread, after its call was given up, until its way is cut. */
const UNREAD = 5000;
/** Milliseconds in which the daemon's log has what led to a violation. */
const LOGGED = 500;

/** Milliseconds after a loss for those that can't be sent: the daemon may have to wait for its budget of logins. */
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
  /The daemon is shutting down; the request was not sent|ended before it read the request|was not sent: the daemon closed/;
/** Of a call or a batch. Only a daemon that was killed leaves anybody so. */
const WENT =
  /The daemon went away before it answered|The connection to the daemon was lost \(.*\); the outcome is unknown/;
const HUNG = /The daemon (?:\(pid \d+\)|at \S+) does not answer/;
/** Milliseconds of silence and of an unanswered question after which a client says so, and a few for itself. */
const SILENCE = 15_000;
/** Milliseconds that the daemon gives a ping. */
const PING_TIMEOUT = 10_000;
const LEFT_TO_SERVER = /The daemon is shutting down; job \d+ goes on/;

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
  readonly troubles = new Troubles();
  /** Calls that were given up and that the server never got, because their way was cut. */
  swallowed = 0;
  private readonly explanations: Promise<void>[] = [];
  /** How often the connection was lost. */
  losses = 0;

  /** `testimony`: what the daemon's log has since then, by the wall's clock. */
  constructor(
    private readonly dice: Dice,
    private readonly testimony: (since: number) => Promise<string> = () => Promise.resolve(''),
  ) {}

  /** A request of a random kind, with content of its own. `size` characters are added to it. */
  ask(more: object, size = 0, kinds: readonly Kind[] = MIX): Entry {
    const entry = requestOf(this.dice, this.sent++, kinds, size, more);
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
    const told = { fate: 'open', settled: Infinity, told: '' } as const;
    if (entry.key !== null) this.accounts.set(entry.key, { ...told, runs: 0, entry });
  }

  /** A final frame came where this request's was due. */
  take(entry: Entry, frame: Frame): void {
    const verdict = this.verdictOn(entry, frame);
    if (typeof verdict !== 'string') {
      this.settle(entry, 'wrong');
      this.violate(`${verdict.problem}: ${entry.line.slice(0, 120)}`, frame, entry);
    } else this.settle(entry, verdict, String(frame.error ?? frame.type));
  }

  /** What has become of a request is known. */
  settle(entry: Entry, fate: Fate, told = ''): void {
    if (!this.open.delete(entry.id)) {
      this.doubled++;
      this.violate(`answered twice: ${entry.line.slice(0, 120)}`, undefined, entry);
      return;
    }
    this.counts[fate]++;
    if (fate === 'answered') this.longest = Math.max(this.longest, performance.now() - entry.sent);
    const account = entry.key === null ? undefined : this.accounts.get(entry.key);
    if (account) Object.assign(account, { fate, settled: performance.now(), told });
  }

  /** A frame came that nobody waits for, or where another's was due. */
  stray(what: string, frame: Frame): void {
    const number = Number(/^r(\d+)$/.exec(String(frame.id))?.[1] ?? NaN);
    if (number < this.sent && !this.open.has(`r${number}`)) this.doubled++;
    else this.misrouted++;
    this.violate(what, frame);
  }

  violate(what: string, frame?: Frame, entry?: Entry): void {
    const shown = frame === undefined ? '' : ` got ${JSON.stringify(frame).slice(0, 300)}`;
    this.wrong++;
    const kind = what.slice(0, 16);
    const alike = (this.kinds.get(kind) ?? 0) + 1;
    this.kinds.set(kind, alike);
    if (alike > 5) return;
    const place = this.violations.push(`${what.trimEnd()}${shown}`) - 1;
    this.explanations.push(this.explain(place, entry));
  }

  /** Adds what is known of the time to a violation: the faults, the request's account, the daemon's log. */
  private async explain(place: number, entry?: Entry): Promise<void> {
    const now = performance.now();
    const since = entry?.sent ?? now - AFTERMATH;
    const faults = this.troubles.tell(since);
    await new Promise((resolve) => setTimeout(resolve, LOGGED));
    const account = entry?.key == null ? undefined : this.accounts.get(entry.key);
    const runs = account ? `run ${account.runs} times by then; ` : '';
    const age = entry ? `sent ${Math.round(now - since)} ms before; ` : '';
    const wall = Date.now() - (performance.now() - since) - LOGGED;
    const log = await this.testimony(wall);
    const more = `[${age}${runs}faults since: ${faults || 'none'}; log: ${log}]`;
    this.violations[place] = `${this.violations[place]} ${more}`;
  }

  /** Resolves when all that there is to say of the violations is said. */
  async explained(): Promise<void> {
    await Promise.all(this.explanations);
  }

  /** Has there been such a trouble while the request was under way, or just before? */
  happened({ sent }: Pick<Entry, 'sent'>, trouble: Trouble, before = AFTERMATH): boolean {
    return this.troubles.happened(trouble, sent, before);
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
    // What is asked of a daemon that is dead already has never been read.
    if (WENT.test(error)) return allowed('unknown', 'death', 'left by a daemon that lives', 0);
    if (HUNG.test(error)) {
      const since = Math.max(entry.sent, performance.now() - SILENCE);
      const wasHalted = this.troubles.happened('halt', since);
      return wasHalted ? 'unknown' : { problem: 'not waited for, though it answers' };
    }
    if (LEFT_TO_SERVER.test(error)) return allowed('unknown', 'end', 'left by a daemon that stays');
    if (REFUSED.test(error)) return allowed('not sent', 'crowd', 'refused without a crowd');
    // It is asked again over each new connection, and all of them may break.
    const isLongPing = entry.kind === 'ping' && performance.now() - entry.sent >= PING_TIMEOUT;
    if (isLongPing && error === 'Call timeout')
      return allowed('unknown', 'loss', 'a ping not answered, without a loss', 0);
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
    for (const account of this.accounts.values()) {
      const { fate, runs, entry } = account;
      if (fate === 'answered' && runs === 0) {
        if (this.wasSwallowed(account)) this.swallowed++;
        else this.violate(`answered, and never run: ${shownOf(account)}`, undefined, entry);
      }
      if (fate === 'not sent' && runs > 0)
        this.violate(`said to be not sent, and run: ${shownOf(account)}`, undefined, entry);
    }
  }

  /** Was it given up, as it was to be, when a connection that broke had it under way? */
  private wasSwallowed({ entry, settled, told }: Account): boolean {
    if (entry.late === undefined || told !== entry.expected.error) return false;
    return (['loss', 'death'] as const).some((kind) =>
      this.troubles.happened(kind, entry.sent, AFTERMATH, settled + UNREAD),
    );
  }

  /** Requests without an answer, whose clients lived. */
  get lost(): number {
    return this.open.size;
  }
}

function shownOf({ entry, told, settled }: Account): string {
  const took = Math.round(settled - entry.sent);
  return `${entry.line.slice(0, 120).trimEnd()}: '${told}' after ${took} ms`;
}
