/**
 * Whose job is it? The server merges callers of a job that waits: those of one lock on purpose, and by a defect
 * those of jobs without one, whatever their methods. It runs the job that waits, and gives its id to all.
 */
import { elementsOf, stringOf, type Members } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';

export interface JobRequest {
  /** The id of the request that started or joined the job. */
  readonly id: string;
  readonly method: string;
  /** The text of a JSON array. */
  readonly params: Json;
  /** Do jobs name the requests that started them? The legacy wire's don't. */
  readonly isNamed: boolean;
}

/** `merged`: the request was given the id of another's job, and was never run itself. */
export type Relation = 'ours' | 'merged' | 'foreign';

/** How the server shows what is secret. */
const MASKED = '********';
/** Bytes of arguments that are compared; to read more takes the event loop too long. */
const COMPARED = 128 * 1024;

/**
 * `isAdded`: the fields are of the event that a job was added (true), of a later one (false), or of a
 * look-up (null). A request that started its job is named by the first of its events, and first.
 */
export function relationOf(
  request: JobRequest,
  fields: Members,
  isAdded: boolean | null,
): Relation {
  const method = fields.get('method');
  const isSameMethod = method === undefined || stringOf(method) === request.method;
  if (!request.isNamed) {
    if (!isSameMethod) return 'foreign';
    return hasOtherArguments(request, fields) ? 'merged' : 'ours';
  }
  const ids = elementsOf(fields.get('message_ids')) ?? [];
  const place = ids.findIndex((each) => stringOf(each) === request.id);
  if (place === -1) return 'foreign';
  if (place === 0 && isAdded === true) return 'ours';
  if (!isSameMethod) return 'merged';
  // The arguments of a job of our own may be spelled otherwise than we sent them.
  const hasJoined = place > 0 || isAdded === false;
  return hasJoined && hasOtherArguments(request, fields) ? 'merged' : 'ours';
}

/** False where it can't be told. */
export function hasOtherArguments({ params }: JobRequest, fields: Members): boolean {
  const shown = fields.get('arguments');
  if (!shown || shown.equals(params)) return false;
  if (shown.length > COMPARED || params.length > COMPARED) return false;
  try {
    return differ(JSON.parse(params.toString()), JSON.parse(shown.toString()));
  } catch {
    return false; // NaN, for one
  }
}

/** What is masked, and members that are not shown at all, say nothing. */
function differ(sent: unknown, shown: unknown): boolean {
  if (shown === MASKED || sent === shown) return false;
  if (Array.isArray(sent) && Array.isArray(shown)) {
    return sent.length < shown.length || shown.some((each, i) => differ(sent[i], each));
  }
  if (!isObject(sent) || !isObject(shown)) return true;
  return Object.entries(shown).some(
    ([name, value]) => !Object.hasOwn(sent, name) || differ(sent[name], value),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
