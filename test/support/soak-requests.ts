/** The requests of a soak, of random kinds, each with content of its own. */
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

export const MIX = (Object.keys(KINDS) as Kind[]).flatMap((kind) =>
  Array<Kind>(KINDS[kind]).fill(kind),
);

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

/** Request `number`, with `size` random characters more, and the members of `more`. */
export function requestOf(
  { random, pick }: Dice,
  number: number,
  kinds: readonly Kind[],
  size: number,
  more: object,
): Entry {
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
  return {
    ...{ id, kind, content, key },
    line: `${JSON.stringify({ ...request, id, ...more })}\n`,
    expected: { id, ...outcome },
    ...(kind === 'late' || kind === 'stuck' ? { late: params[0] } : {}),
    sent: performance.now(),
  };
}

/** Short, since an hour has many. */
export function keyOf(method: string, params: readonly unknown[]): string {
  const text = `${method} ${JSON.stringify(params)}`;
  return createHash('sha1').update(text).digest('base64').slice(0, 16);
}
