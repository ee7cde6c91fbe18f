/** Event name → who listens. One listener a name is all a command needs. */
import { MidcltError } from '../errors.js';
import { isNull, membersOf, stringOf } from '../json/members.js';
import type { Json } from '../protocol/frames.js';
import type { Connection } from './connection.js';
import { validationLines } from './wire/failure.js';

export interface Subscription {
  /**
   * Resolves when the server ends it: null, or the error it gives. Rejects when the connection
   * is lost.
   */
  readonly ended: Promise<MidcltError | null>;
}

interface Listener {
  readonly onEvent: (params: Json) => void;
  readonly end: (error: MidcltError | null) => void;
  readonly lose: (error: MidcltError) => void;
}

/** The wildcard: all events. */
const ALL = '*';

export class Subscriptions {
  private readonly listeners = new Map<string, Listener>();

  constructor(private readonly connection: Connection) {
    connection.on('notification', (method, params) => {
      if (this.listeners.size > 0) this.onNotification(method, params);
    });
    // Events may have been missed then: whoever counts on all of them has to know.
    connection.on('loss', (error) => {
      for (const { lose } of this.listeners.values()) lose(error);
      this.listeners.clear();
    });
  }

  /**
   * Subscribes to an event (`pool.query`) or event source (`reporting.realtime:{"interval": 5}`).
   * `onEvent` gets the whole `params` of each notification. Rejects as {@link Connection.call}.
   */
  async subscribe(
    event: string,
    onEvent: (params: Json) => void,
    timeout: number | null,
  ): Promise<Subscription> {
    let end!: Listener['end'];
    let lose!: Listener['lose'];
    const ended = new Promise<MidcltError | null>((resolve, reject) => {
      end = resolve;
      lose = reject;
    });
    ended.catch(() => undefined); // the caller may have gone by then
    // Before the call: a source with bad arguments ends before the answer to it comes.
    this.listeners.set(event, { onEvent, end, lose });
    try {
      await this.connection.subscribe(event, timeout);
    } catch (error) {
      this.listeners.delete(event);
      throw error;
    }
    return { ended };
  }

  private onNotification(method: string, params: Json): void {
    const members = membersOf(params);
    const collection = stringOf(members?.get('collection'));
    if (!members || collection === null) return;
    const listener = this.listeners.get(collection);
    if (method === 'collection_update') {
      listener?.onEvent(params);
      this.listeners.get(ALL)?.onEvent(params);
    } else if (method === 'notify_unsubscribed' && listener) {
      this.listeners.delete(collection);
      listener.end(endError(members.get('error')));
    }
  }
}

/** The `error` of `notify_unsubscribed`: null, or an object with a reason. */
function endError(error: Json | undefined): MidcltError | null {
  if (error === undefined || isNull(error)) return null;
  const members = membersOf(error);
  const lines = validationLines(members?.get('extra'));
  const reason = stringOf(members?.get('reason')) ?? stringOf(error) ?? error.toString();
  return new MidcltError('CALL', lines ?? reason.trimEnd());
}
