/** What the middleware says about jobs when it is asked. */
import { asMidcltError } from '../../errors.js';
import { elementsOf, integerOf, membersOf, quote, type Members } from '../../json/members.js';
import type { Connection } from '../connection.js';
import { isLost } from './events.js';
import { isFinal } from './watch.js';

/** Milliseconds for the calls made for their own sake. */
export const LOOK_UP_TIMEOUT = 60_000;

/** What can't be put into JSON spoils an answer as a whole: then fewer columns are asked for. */
const BRIEF = [
  ...['id', 'message_ids', 'method', 'arguments', 'transient', 'time_started'],
  ...['state', 'error'],
];
const WITH_RESULT = [...BRIEF, 'result', 'result_encoding_error'];
const LEAST = ['id', 'state', 'error'];

type Columns = readonly string[] | null;

/**
 * The jobs with these ids as they are now, as far as the server knows and shows them. Secrets are not
 * masked: a result is what the event would have had. Rejects as {@link Connection.call}.
 */
export function findJobs(
  connection: Connection,
  ids: readonly number[],
): Promise<Map<number, Members>> {
  return query(connection, ids, null);
}

/** A job as it is now, as much of it as the server can tell; null if it knows none. Rejects as {@link Connection.call}. */
export function findJob(connection: Connection, id: number): Promise<Members | null> {
  return firstToldOf(connection, id, [null, WITH_RESULT, BRIEF, LEAST]);
}

/** The same at a small price: without progress, and with its result only if it has ended. */
export async function glanceAtJob(connection: Connection, id: number): Promise<Members | null> {
  const fields = await firstToldOf(connection, id, [BRIEF, LEAST]);
  if (!fields || !isFinal(fields)) return fields;
  return (await findJob(connection, id)) ?? withoutResult(fields, 'it is gone');
}

/** Does the server list the method as a job? Null where it does not list it. Rejects if the connection is lost. */
export async function isJob(connection: Connection, method: string): Promise<boolean | null> {
  const service = Buffer.from(JSON.stringify([method.slice(0, method.lastIndexOf('.'))]));
  try {
    const methods = await connection.call('core.get_methods', service, {
      timeout: LOOK_UP_TIMEOUT,
    });
    const entry = membersOf(membersOf(methods)?.get(method));
    return entry ? entry.get('job')?.toString() === 'true' : null;
  } catch (error) {
    if (isLost(error)) throw error;
    return null;
  }
}

async function firstToldOf(
  connection: Connection,
  id: number,
  selections: readonly Columns[],
): Promise<Members | null> {
  let first: unknown;
  for (const columns of selections) {
    try {
      const fields = (await query(connection, [id], columns)).get(id) ?? null;
      const isPart = columns !== null && !columns.includes('result');
      if (!fields || !isPart || !first) return fields;
      return withoutResult(fields, asMidcltError(first).message);
    } catch (error) {
      if (asMidcltError(error).code !== 'CALL') throw error;
      first ??= error;
    }
  }
  throw first;
}

/** A job that succeeded without the result that it had. */
function withoutResult(fields: Members, why: string): Members {
  return new Map([...fields, ['result_encoding_error', Buffer.from(quote(why))]]);
}

async function query(
  connection: Connection,
  ids: readonly number[],
  columns: Columns,
): Promise<Map<number, Members>> {
  const filter =
    ids.length === 1 ? `["id", "=", ${ids[0] ?? 0}]` : `["id", "in", [${ids.join(', ')}]]`;
  const names = columns?.map((name) => `"${name}"`).join(', ');
  const select = names === undefined ? '' : `"select": [${names}]`;
  const raw = names === undefined || names.includes('"result"');
  const extra = raw ? '"extra": {"raw_result": true}' : '';
  const options = [select, extra].filter(Boolean).join(', ');
  const params = Buffer.from(`[[${filter}], {${options}}]`);
  const answer = await connection.call('core.get_jobs', params, { timeout: LOOK_UP_TIMEOUT });
  const found = new Map<number, Members>();
  for (const entry of elementsOf(answer) ?? []) {
    const fields = membersOf(entry);
    const id = integerOf(fields?.get('id'));
    if (fields && id !== null) found.set(id, fields);
  }
  return found;
}
