/** Calls whose answers can be nobody else's, and what became of them. */
import type { Test } from 'tap';
import { isMidcltError } from '../../lib/errors.js';
import { noLog } from '../../lib/logger.js';
import { Connection } from '../../lib/middleware/connection.js';
import { DEFAULT_POLICY } from '../../lib/middleware/login/reconnect-policy.js';
import { parseTarget } from '../../lib/middleware/uri.js';
import { Scheduler } from '../../lib/stream/scheduler.js';
import type { Dice } from './garbage.js';
import type { Heard } from './hostile-server.js';

const QUICK = { ...DEFAULT_POLICY, shortest: 2, longest: 20 };

/** Loses no time between two attempts to connect. */
export async function connectQuickly(t: Test, uri: string) {
  const connection = new Connection({
    target: parseTarget(uri),
    credential: null,
    log: noLog,
    policy: QUICK,
  });
  t.teardown(() => {
    connection.close();
  });
  await connection.open();
  return connection;
}

/** A call whose answer can be nobody else's, and the slot that it holds. */
export class Asked {
  outcome = '';
  private readonly scheduler = new Scheduler({ calls: 1, jobs: 1, lookUps: 1 });

  constructor(readonly content: string) {}

  /** Is its slot taken? */
  get isHeld(): boolean {
    return this.scheduler.active > 0;
  }

  /** Resolves when it is answered: with what, or the code of why not. */
  async ask(connection: Connection, timeout: number | null = 20_000): Promise<this> {
    const params = Buffer.from(JSON.stringify([this.content]));
    const lease = this.scheduler.tryAcquire('call');
    try {
      await connection.ready(null, 20_000);
      const result = await connection.call('test.echo', params, { timeout, lease });
      this.outcome = result.toString();
    } catch (error) {
      this.outcome = isMidcltError(error) ? error.code : String(error);
    } finally {
      lease?.release();
    }
    return this;
  }
}

/** Asks `count` calls, eight at a time. */
export async function askMany(connection: Connection, count: number, dice: Dice): Promise<Asked[]> {
  const all = Array.from({ length: count }, (_, i) => new Asked(`${i}/${dice.random()}`));
  await eightAtATime(all, (asked) => asked.ask(connection));
  return all;
}

export async function eightAtATime<T>(all: readonly T[], act: (each: T) => Promise<unknown>) {
  const queue = [...all];
  const work = async () => {
    for (let next; (next = queue.shift()) !== undefined;) await act(next);
  };
  await Promise.all(Array.from({ length: 8 }, work));
}

/** What the sandbox's `test.echo` would answer. */
export const echo = ({ params }: Heard) => JSON.stringify(params[0]);

export const own = ({ content }: Asked) => JSON.stringify(content);

export function soon(action: () => void, { random }: Dice): void {
  setTimeout(action, random() * 5);
}
