/**
 * Which methods start no job, as far as is known. What answers a plain call with an integer may be a job,
 * and the server merges jobs that come in too large a burst: of calls that may be one, only few go at once.
 */
import { integerOf, membersOf } from '../members.js';
import type { Json } from '../protocol.js';
import type { Connection } from './connection.js';

/** Milliseconds for the server to list the methods of a service. */
const TIMEOUT = 60_000;
/** Names that are remembered at most. */
const MOST = 10_000;
/** No integer that is a job's id has more characters. */
const LONGEST_ID = 20;

export class PlainMethods {
  private readonly known = new Set<string>();
  /** Services whose methods were asked for. */
  private readonly asked = new Set<string>();

  constructor(private readonly connection: Connection) {
    // It may be another version of the server by then.
    connection.onRenewal(() => {
      this.known.clear();
      this.asked.clear();
    });
  }

  mayStartJob(method: string): boolean {
    return !this.known.has(method);
  }

  /** A plain call of the method was answered so. Where that does not tell, the server is asked. */
  answered(method: string, answer: Json): void {
    if (this.known.has(method)) return;
    if (answer.length > LONGEST_ID || integerOf(answer) === null) this.add(method);
    else void this.ask(method.slice(0, method.lastIndexOf('.')));
  }

  private async ask(service: string): Promise<void> {
    if (this.asked.has(service) || this.asked.size >= MOST) return;
    this.asked.add(service);
    const params = Buffer.from(JSON.stringify([service]));
    const answer = this.connection.call('core.get_methods', params, { timeout: TIMEOUT });
    // Where the server does not say, its methods go on being taken for jobs.
    const methods = await answer.then(membersOf, () => null);
    for (const [method, entry] of methods ?? []) {
      if (membersOf(entry)?.get('job')?.toString() === 'false') this.add(method);
    }
  }

  private add(method: string): void {
    if (this.known.size < MOST) this.known.add(method);
  }
}
