/**
 * Which methods start no job, as far as is known. What answers a plain call with an integer may be a job,
 * and the server merges jobs that come in too large a burst: of calls that may be one, only few go at once.
 */
import { integerOf, membersOf } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import type { Connection } from '../connection.js';

/** Milliseconds for the server to list the methods of a service. */
const TIMEOUT = 60_000;
/** Names that are remembered at most. */
const MOST = 10_000;
/** No integer that is a job's id has more characters. */
const LONGEST_ID = 20;
/** What starts a job, and answers with a list. */
const HIDDEN_JOBS = new Set(['core.download']);

export class PlainMethods {
  private readonly known = new Set<string>();
  /** Services whose methods were asked for. */
  private readonly asked = new Set<string>();
  /** Methods of which a call is under way that may have started a job; and what each call is to be told. */
  private readonly uncertain = new Map<string, Set<() => void>>();

  /** `onLearnt` is called when more is known. */
  constructor(
    private readonly connection: Connection,
    private readonly onLearnt: () => void,
  ) {
    // It may be another version of the server by then.
    connection.on('renewal', () => {
      this.known.clear();
      this.asked.clear();
    });
  }

  mayStartJob(method: string): boolean {
    return !this.known.has(method);
  }

  /** A plain call begins. Calls `isNoJob` if it turns out, while the call runs, that it starts none. Returns what ends this. */
  calling(method: string, isNoJob: () => void): () => void {
    if (this.known.has(method)) return nothing;
    const calls = this.uncertain.get(method) ?? new Set();
    this.uncertain.set(method, calls.add(isNoJob));
    return () => {
      calls.delete(isNoJob);
      if (calls.size === 0) this.uncertain.delete(method);
    };
  }

  /** A plain call of the method was answered. If the answer does not tell whether it is a job, asks the server. */
  answered(method: string, answer: Json): void {
    if (this.known.has(method)) return;
    if (answer.length > LONGEST_ID || integerOf(answer) === null) this.add([method]);
    else void this.ask(serviceOf(method));
  }

  /** Asks the server about all methods that are being called, and this one. */
  lookUp(method: string): void {
    const services = new Set([method, ...this.uncertain.keys()].map(serviceOf));
    for (const service of services) void this.ask(service);
  }

  private async ask(service: string): Promise<void> {
    if (this.asked.has(service) || this.asked.size >= MOST) return;
    this.asked.add(service);
    const params = Buffer.from(JSON.stringify([service]));
    const answer = this.connection.call('core.get_methods', params, { timeout: TIMEOUT });
    // Where the server does not say, its methods go on being taken for jobs.
    const methods = await answer.then(membersOf, () => null);
    const isPlain = ([, entry]: [string, Json]) =>
      membersOf(entry)?.get('job')?.toString() === 'false';
    this.add([...(methods ?? [])].filter(isPlain).map(([method]) => method));
  }

  private add(methods: readonly string[]): void {
    for (const method of methods) {
      if (HIDDEN_JOBS.has(method)) continue;
      if (this.known.size < MOST) this.known.add(method);
      for (const isNoJob of [...(this.uncertain.get(method) ?? [])]) isNoJob();
    }
    this.onLearnt();
  }
}

function serviceOf(method: string): string {
  return method.slice(0, method.lastIndexOf('.'));
}

function nothing(): void {
  // there is nothing to end
}
