/** What both wires do with a message before they look at what it says. */
import type { Middleware } from '../middleware.js';
import { PyJsonError, PyJsonNesting, parse } from '../python/json.js';
import type { Session } from './session.js';
import type { PyDict, PyValue } from '../python/values.js';

/** The longest message in characters: before a login, after it, and for two methods that carry files. */
const MAX_ANONYMOUS = 8192;
const MAX_MESSAGE = 65536;
const MAX_LARGE_MESSAGE = 2097152;
const LARGE_METHODS: readonly PyValue[] = ['filesystem.file_receive', 'failover.datastore.sql'];

/** The object in a message, or what is wrong with its JSON; null when the message ended the connection. */
export function takeIn(
  middleware: Middleware,
  session: Session,
  text: string,
): PyDict | PyJsonError | null {
  middleware.recorder.message(text);
  const length = characters(text);
  if (session.credentials === null && length > MAX_ANONYMOUS) {
    session.close(1007, 'Anonymous connection max message length is 8 kB');
    return null;
  }
  if (length > MAX_LARGE_MESSAGE) return tooLong(session);
  let message: PyValue;
  try {
    message = parse(text);
  } catch (error) {
    if (error instanceof PyJsonNesting) {
      session.terminate();
      return null;
    }
    if (!(error instanceof PyJsonError)) throw error;
    return length > MAX_MESSAGE ? tooLong(session) : error;
  }
  if (length > MAX_MESSAGE && !isLarge(message)) return tooLong(session);
  const now = performance.now();
  if (session.expired || now - session.lastMessage > session.idleLimitMs)
    middleware.logout(session);
  session.lastMessage = now;
  if (message instanceof Map) return message;
  const isBatch = Array.isArray(message);
  return new PyJsonError(
    isBatch ? 'Batch messages are not supported at this time' : 'Invalid Message Format',
  );
}

function tooLong(session: Session): null {
  session.close(1009, 'Max message length is 64 kB');
  return null;
}

/** Python counts code points. */
function characters(text: string): number {
  const pairs = text.length > MAX_ANONYMOUS ? (text.match(/[\ud800-\udbff]/g)?.length ?? 0) : 0;
  return text.length - pairs;
}

function isLarge(message: PyValue): boolean {
  return message instanceof Map && LARGE_METHODS.includes(message.get('method') ?? null);
}
