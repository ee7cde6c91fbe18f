/** What the middleware says about jobs when it is asked. */
import { elementsOf, integerOf, membersOf, type Members } from '../members.js';
import type { Connection } from './connection.js';

/** Milliseconds for the calls made for their own sake. */
export const LOOK_UP_TIMEOUT = 60_000;

/**
 * The jobs with these ids as they are now, as far as the server knows and shows them. Secrets are not
 * masked: a result is what the event would have had. Rejects as {@link Connection.call}.
 */
export async function findJobs(
  connection: Connection,
  ids: readonly number[],
): Promise<Map<number, Members>> {
  const filter =
    ids.length === 1 ? `["id", "=", ${ids[0] ?? 0}]` : `["id", "in", [${ids.join(', ')}]]`;
  const params = Buffer.from(`[[${filter}], {"extra": {"raw_result": true}}]`);
  const answer = await connection.call('core.get_jobs', params, { timeout: LOOK_UP_TIMEOUT });
  const found = new Map<number, Members>();
  for (const entry of elementsOf(answer) ?? []) {
    const fields = membersOf(entry);
    const id = integerOf(fields?.get('id'));
    if (fields && id !== null) found.set(id, fields);
  }
  return found;
}

/** Does the server list the method as a job? False where it does not say. */
export async function isJob(connection: Connection, method: string): Promise<boolean> {
  const service = Buffer.from(JSON.stringify([method.slice(0, method.lastIndexOf('.'))]));
  try {
    const methods = await connection.call('core.get_methods', service, {
      timeout: LOOK_UP_TIMEOUT,
    });
    const entry = membersOf(membersOf(methods)?.get(method));
    return entry?.get('job')?.toString() === 'true';
  } catch {
    return false;
  }
}
