/**
 * The events of `core.get_jobs`: subscribed to when somebody follows a job, once for each WebSocket.
 * Those of all jobs are a lot of traffic.
 */
import type { Cancellation } from '../../cancellation.js';
import { abandoned, isMidcltError, MidcltError } from '../../errors.js';
import { integerOf, membersOf, stringOf, type Members } from '../../json/members.js';
import { PATIENCE, type Json } from '../../protocol/frames.js';
import { after } from '../../timer.js';
import type { Connection } from '../connection.js';
import { UNTOLD } from '../wire/wire.js';

const COLLECTION = 'core.get_jobs';
/** Milliseconds for the answer to the subscription. */
const SUBSCRIBE_TIMEOUT = 60_000;
/** Milliseconds until a lost connection must be back for what is asked about jobs. */
export const JOB_PATIENCE = PATIENCE * 1000;

export interface JobListener {
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
   * is for the subscription, in milliseconds. Rejects as {@link Connection.call} and `ready`.
   */
  async subscribe(timeout: number | null, client: Cancellation | null): Promise<void> {
    for (;;) {
      await this.connection.ready(client, JOB_PATIENCE);
      const subscription = (this.subscription ??= this.request());
      // Others wait for the same answer, each as long as its own call may take.
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<never>((_resolve, reject) => {
        timer = after(timeout, () => {
          reject(new MidcltError('TIMEOUT', 'Call timeout'));
        });
      });
      try {
        await Promise.race([subscription, patience]);
        if (client?.isCancelled) throw abandoned();
        // The line may have ended with that answer.
        if (this.connection.isReady() && this.subscription === subscription) return;
      } catch (error) {
        if (!isLost(error) || client?.isCancelled) throw error;
      } finally {
        clearTimeout(timer);
      }
    }
  }

  private request(): Promise<Json> {
    const subscription = this.connection.subscribe(COLLECTION, SUBSCRIBE_TIMEOUT);
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

/** Was it the connection that failed, and not what was asked for? */
export function isLost(error: unknown): boolean {
  return isMidcltError(error) && (error.code === 'LOST' || error.code === 'CLOSED');
}
