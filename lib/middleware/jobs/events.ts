/**
 * The events of `core.get_jobs`, and whose job an event tells of. They are subscribed to when somebody follows a job,
 * once for each WebSocket, since those of all jobs are a lot of traffic.
 */
import type { Cancellation } from '../../cancellation.js';
import { abandoned, isLost } from '../../errors.js';
import { elementsOf, integerOf, membersOf, stringOf, type Members } from '../../json/members.js';
import { PATIENCE, type Json } from '../../protocol/frames.js';
import { inTime, steadyNow } from '../../timer.js';
import { timeLeft } from '../calls.js';
import type { Connection } from '../connection.js';
import { ofUnsent, waitedInVain } from '../unsent.js';
import { UNTOLD } from '../wire/wire.js';

const COLLECTION = 'core.get_jobs';
/** What a call waits for, in the words of its error. */
const SUBSCRIPTION = 'the subscription to the events of jobs';
/** Milliseconds for the answer to the subscription. */
const SUBSCRIBE_TIMEOUT = 60_000;
/** Milliseconds until a lost connection must be back for what is asked about jobs. */
export const JOB_PATIENCE = PATIENCE * 1000;

interface JobListener {
  /** A job as it is now; `isAdded`: this is the first that is told of it. */
  readonly onEvent: (jobId: number, fields: Members, isAdded: boolean) => void;
  /** The server could not put an event into JSON, perhaps one of a job. */
  readonly onUntold: () => void;
}

export class JobEvents {
  private subscription: Promise<Json> | null = null;

  constructor(
    private readonly connection: Connection,
    private readonly listener: JobListener,
  ) {
    connection.on('notification', (method, params) => {
      if (!this.subscription) return;
      if (method === 'collection_update') this.read(params);
      else if (method === UNTOLD) this.listener.onUntold();
    });
    const reset = () => {
      this.subscription = null;
    };
    connection.on('loss', reset);
    connection.on('renewal', reset);
  }

  /**
   * Resolves, in the turn in which a call can be sent, when its events are going to come. `timeout`
   * is for the subscription, in milliseconds; `deadline`, by {@link steadyNow}, for the connection, too.
   * Rejects as {@link Connection.call} and `ready`.
   */
  async subscribe(
    timeout: number | null,
    client: Cancellation | null,
    deadline = Infinity,
  ): Promise<void> {
    const began = steadyNow();
    for (;;) {
      const now = steadyNow();
      const patience = Math.max(0, Math.min(JOB_PATIENCE, deadline - now));
      await this.connection.ready(client, patience, now - began);
      const subscription = (this.subscription ??= this.request());
      try {
        // Others wait for the same answer, each as long as its own call may take.
        const late = () => waitedInVain(steadyNow() - began, SUBSCRIPTION);
        await inTime(subscription, timeLeft({ timeout, deadline }), late);
        if (client?.isCancelled) throw abandoned();
        // The line may have ended with that answer.
        if (this.connection.isReady() && this.subscription === subscription) return;
      } catch (error) {
        if (!isLost(error) || client?.isCancelled) {
          throw ofUnsent(error, steadyNow() - began, SUBSCRIPTION);
        }
      }
    }
  }

  private request(): Promise<Json> {
    const subscription = this.connection.calls.subscribe(COLLECTION, SUBSCRIBE_TIMEOUT);
    subscription.catch(() => {
      if (this.subscription === subscription) this.subscription = null;
    });
    return subscription;
  }

  private read(params: Json): void {
    const event = membersOf(params);
    if (stringOf(event?.get('collection')) !== COLLECTION) return;
    const fields = membersOf(event?.get('fields'));
    const jobId = integerOf(fields?.get('id'));
    const isAdded = stringOf(event?.get('msg')) === 'added';
    if (fields && jobId !== null) this.listener.onEvent(jobId, fields, isAdded);
  }
}

export interface JobRequest {
  /** The id of the request that started or joined the job. */
  readonly id: string;
  readonly method: string;
  /** The text of a JSON array. */
  readonly params: Json;
  /** Do jobs name the requests that started them? The legacy wire's don't. */
  readonly isNamed: boolean;
}

/**
 * Whose a job is, seen from a request. The server merges callers of a job that waits: those of one lock on purpose,
 * and by a defect those of jobs without one, whatever their methods. It runs the job that waits, and gives its id to
 * all. `merged`: the request was given the id of another's job, and was never run itself.
 */
type Relation = 'ours' | 'merged' | 'foreign';

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
export function hasOtherArguments(
  { params }: Pick<JobRequest, 'params'>,
  fields: Members,
): boolean {
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
