/** Every request of a soak: what it asked, what it may be answered, what it was. */
import fs from 'node:fs';
import type { Dice } from './garbage.js';
import type { Frame } from './wire.js';

export type Kind = 'echo' | 'fail' | 'sleep' | 'job' | 'ping';

export interface Entry {
  readonly id: string;
  readonly kind: Kind;
  readonly line: string;
  /** As the journal has it: method and params, which no other request has. */
  readonly key: string | null;
  /** The frame it is answered with when nothing goes wrong. */
  readonly expected: Frame;
  readonly sent: number;
  answered: number;
  /** Its client was killed: nobody waits for an answer. */
  abandoned: boolean;
  finals: Frame[];
}

/** Something that ends what the server knows, or the connection to it. */
export type Trouble = 'kill' | 'loss';

/** Milliseconds after a trouble in which a request may still fall victim to it. */
const AFTERMATH = 500;

const UNKNOWN = /^The connection to the middleware was lost \(.*\); the outcome of \S+ is unknown$/;
/** A ping waits ten seconds for a connection; a busy machine may need longer to start a server again. */
const NOT_SENT = /^Call timeout: waited 10 s for the connection .*; the call was not sent$/s;
const FORGOTTEN =
  /^The connection to the middleware was lost while job \d+ ran, .*; its outcome is unknown$/;

export class Ledger {
  readonly entries: Entry[] = [];
  /** What no request may meet with. */
  readonly violations: string[] = [];
  private readonly troubles = { kill: -Infinity, loss: -Infinity };

  constructor(private readonly dice: Dice) {}

  /** A request of a random kind, with content of its own. `size` characters are added to it. */
  ask(more: object, size = 0): Entry {
    const { random, pick } = this.dice;
    const number = this.entries.length;
    const kind = pick<Kind>(['echo', 'echo', 'echo', 'fail', 'sleep', 'job', 'job', 'ping']);
    const content = `${number}/${random()}${'x'.repeat(random() * size)}`;
    const seconds = Number(`0.0${1 + Math.floor(random() * 4)}${1_000_000 + number}`);
    const id = `r${number}`;
    const [method, params, outcome] = (
      {
        echo: ['test.echo', [content], { type: 'result', result: [content] }],
        fail: [
          'test.fail',
          [2, content, { content }],
          { type: 'error', error: `[ENOENT] ${content}`, extra: { content } },
        ],
        sleep: ['test.sleep', [seconds], { type: 'result', result: seconds }],
        job: ['test.job', [1, seconds * 10, null, content], { type: 'result', result: content }],
        ping: ['', [], { type: 'result', result: 'pong' }],
      } as const
    )[kind];
    const request =
      kind === 'ping'
        ? { command: 'ping' }
        : { command: 'call', method, params, ...(kind === 'job' ? { kwargs: { job: true } } : {}) };
    const entry: Entry = {
      id,
      kind,
      line: `${JSON.stringify({ ...request, id, ...more })}\n`,
      key: kind === 'ping' ? null : keyOf(method, params),
      expected: { id, ...outcome },
      sent: performance.now(),
      answered: Infinity,
      abandoned: false,
      finals: [],
    };
    this.entries.push(entry);
    return entry;
  }

  /** A final frame came where this request's was due. */
  take(entry: Entry, frame: Frame): void {
    entry.finals.push(frame);
    entry.answered = performance.now();
    const problem = this.problemOf(entry, frame);
    if (problem !== null) this.violate(`${problem}: ${entry.line.slice(0, 120)}`, frame);
  }

  /** To be called before and after it is made. */
  trouble(...kinds: readonly Trouble[]): void {
    for (const kind of kinds) this.troubles[kind] = performance.now();
  }

  violate(what: string, frame?: Frame): void {
    const shown = frame === undefined ? '' : ` got ${JSON.stringify(frame).slice(0, 300)}`;
    this.violations.push(`${what.trimEnd()}${shown}`);
  }

  /** What is wrong with an answer; null if it is the right one, or the right way to say there is none. */
  private problemOf(entry: Entry, frame: Frame): string | null {
    const { expected, kind } = entry;
    const members = Object.entries(expected);
    if (members.every(([name, value]) => JSON.stringify(frame[name]) === JSON.stringify(value))) {
      return null;
    }
    if (frame.id !== expected.id) return 'the answer to another request';
    const error = textOf(frame);
    if (UNKNOWN.test(error)) {
      return this.happened(entry, 'loss') ? null : 'lost without a loss';
    }
    if (kind === 'job' && FORGOTTEN.test(error)) {
      return this.happened(entry, 'kill') ? null : 'a job forgotten by a server that lives';
    }
    if (kind === 'ping' && NOT_SENT.test(error)) {
      return this.happened(entry, 'loss') ? null : 'not sent without a loss';
    }
    return 'a wrong answer';
  }

  private happened({ sent }: Entry, trouble: Trouble): boolean {
    return this.troubles[trouble] + AFTERMATH >= sent;
  }

  /** Requests with no final frame, or more than one, whose clients lived. */
  unanswered(): string[] {
    return this.entries
      .filter(({ abandoned, finals }) => !abandoned && finals.length !== 1)
      .map(({ finals, line }) => `${finals.length} final frames: ${line.slice(0, 120)}`);
  }

  /** What of the journal was run more than once, or by nobody's request. */
  repeated(journal: string): string[] {
    const counts = new Map<string, number>();
    for (const line of fs.readFileSync(journal, 'utf8').split('\n').filter(Boolean)) {
      const { method, params } = JSON.parse(line) as { method: string; params?: unknown[] };
      if (!method.startsWith('test.')) continue;
      const key = keyOf(method, params ?? []);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const asked = new Set(this.entries.map(({ key }) => key));
    return [...counts]
      .filter(([key, count]) => count > 1 || !asked.has(key))
      .map(([key, count]) => `${count} times: ${key.slice(0, 120)}`);
  }

  summary(): string {
    const count = (test: (entry: Entry) => boolean) => this.entries.filter(test).length;
    const said = (pattern: RegExp) => count(({ finals: [frame] }) => pattern.test(textOf(frame)));
    const longest = Math.max(
      0,
      ...this.entries.filter((e) => e.finals.length > 0).map((e) => e.answered - e.sent),
    );
    return (
      `${this.entries.length} requests, ${said(UNKNOWN)} with an unknown outcome, ` +
      `${said(FORGOTTEN)} jobs forgotten, ${count((entry) => entry.abandoned)} abandoned, ` +
      `longest ${Math.round(longest)} ms`
    );
  }
}

function keyOf(method: string, params: readonly unknown[]): string {
  return `${method} ${JSON.stringify(params)}`;
}

function textOf(frame: Frame | undefined): string {
  return typeof frame?.error === 'string' ? frame.error : '';
}
