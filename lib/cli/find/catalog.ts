/** The methods of a server, from the cache where that still holds, else from the server. */
import fs from 'node:fs';
import { MidcltError } from '../../errors.js';
import { booleanOf, membersOf, stringOf } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import type { Arguments } from '../args/arguments.js';
import { timeoutOf, type Exchange } from '../commands/call.js';
import { callOf, ErrorAnswer, resultOf, withExchange } from '../commands/exchange.js';
import { readCache, writeCache, type Row, type Stamp } from './cache.js';
import { summaryOf } from './prose.js';

export interface Catalog {
  readonly rows: readonly Row[];
  /** A method's entry, as the server spelt it. Null: there is no such method, or the cache is broken. */
  readonly entryOf: (name: string) => Json | null;
}

/** Events that servers have had for years. */
export const KNOWN_EVENTS = ['core.get_jobs', 'alert.list', 'app.stats', 'reporting.realtime'];

/** Milliseconds for which a command without a daemon, to which a login is dear, believes the cache unasked. */
const BELIEVED = 10 * 60 * 1000;

/**
 * What is cached holds while the server has the same version and the session is the same user's. A daemon is asked
 * for both each time, which takes it a millisecond. Rejects as an exchange does, with an {@link ErrorAnswer}, or a
 * `PROTOCOL` error.
 */
export async function catalogOf(args: Arguments): Promise<Catalog> {
  const login = args.useDaemon ? null : loginOf(args);
  if (login !== null && !args.refresh) {
    const cached = readCache(args);
    const isRecent = cached && cached.sinceSeen >= 0 && cached.sinceSeen < BELIEVED;
    if (isRecent && cached.login === login) return catalog(cached.rows, cached.entryOf);
  }
  return withExchange(args, (exchange) => ask(args, login, exchange));
}

async function ask(args: Arguments, login: string | null, exchange: Exchange): Promise<Catalog> {
  const stamp = await stampOf(args, exchange);
  const cached = stamp && !args.refresh ? readCache(args) : null;
  if (cached && cached.version === stamp?.version && cached.user === stamp.user) {
    if (cached.login === login) cached.touch();
    return catalog(cached.rows, cached.entryOf);
  }
  const answer = await resultOf(exchange, callOf('core.get_methods', '[]', timeoutOf(args)));
  const rows = rowsOf(answer);
  if (!rows) throw new MidcltError('PROTOCOL', 'The server answered with no list of its methods');
  if (stamp) writeCache(args, stamp, login, rows, answer);
  return catalog(rows, ({ start, end }) => answer.subarray(start, end));
}

/**
 * Asks the daemon that runs for what shells complete, and keeps it. A server of version 27 or later, which lists no
 * events, has none. Rejects as {@link catalogOf} does.
 */
export async function refreshNames(args: Arguments): Promise<void> {
  await catalogOf({ ...args, refresh: true });
  await withExchange(args, async (exchange) => {
    const stamp = await stampOf(args, exchange);
    if (!stamp) return;
    const answer = await eventsOf(args, exchange);
    writeCache(args, stamp, null, rowsOf(answer) ?? [], answer, 'events');
  });
}

async function eventsOf(args: Arguments, exchange: Exchange): Promise<Json> {
  try {
    return await resultOf(exchange, callOf('core.get_events', '[]', timeoutOf(args)));
  } catch (error) {
    if (error instanceof ErrorAnswer) return Buffer.from('{}');
    throw error;
  }
}

function catalog(rows: readonly Row[], entryOf: (row: Row) => Json | null): Catalog {
  const find = (name: string) => rows.find((row) => row.name === name);
  return {
    rows,
    entryOf(name) {
      const row = find(name);
      return row ? entryOf(row) : null;
    },
  };
}

/** Null if the server does not tell: then its answer is not kept. */
async function stampOf(args: Arguments, exchange: Exchange): Promise<Stamp | null> {
  try {
    const ask = (method: string) => resultOf(exchange, callOf(method, '[]', timeoutOf(args)));
    const version = stringOf(await ask('system.version'));
    const user = stringOf(membersOf(await ask('auth.me'))?.get('pw_name'));
    return version === null || user === null ? null : { version, user };
  } catch (error) {
    if (error instanceof ErrorAnswer) return null;
    throw error;
  }
}

/** What tells one login without a daemon from another; never a secret. */
function loginOf({ username, apiKey }: Arguments): string {
  const key = apiKey === null ? '' : (/^\d+(?=-)/.exec(apiKey)?.[0] ?? fileOf(apiKey));
  return `${username ?? ''} ${key}`;
}

/** The key file of this name. What is no file may be a key with a slip in it. */
function fileOf(apiKey: string): string {
  try {
    return fs.realpathSync(apiKey);
  } catch {
    return '';
  }
}

/** A name that is printed, kept on a line and typed. Real ones are letters, digits, `_` and `.`. */
const NAME = /^[!-~]{1,200}$/;

/** In the order of their names. Null for what is no object of entries. */
export function rowsOf(answer: Json): Row[] | null {
  const entries = membersOf(answer);
  if (!entries) return null;
  const rows: Row[] = [];
  for (const [name, text] of entries) {
    const entry = membersOf(text);
    if (!entry || !NAME.test(name)) continue;
    const start = text.byteOffset - answer.byteOffset;
    const is = (flag: string) => booleanOf(entry.get(flag)) === true;
    rows.push({
      ...{ name, start, end: start + text.length },
      ...{ job: is('job'), downloadable: is('downloadable'), uploadable: is('uploadable') },
      summary: summaryOf(stringOf(entry.get('description')) ?? '') || cliSummary(entry),
    });
  }
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function cliSummary(entry: ReadonlyMap<string, Json>): string {
  return summaryOf(stringOf(entry.get('cli_description')) ?? '');
}
