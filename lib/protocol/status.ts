/** What a daemon says of itself: the result of `status`. Names as on the wire. */
import type { Level } from '../logger.js';

export interface StatusReport {
  readonly pid: number;
  readonly version: string;
  readonly protocol: number;
  /** ISO 8601. */
  readonly started: string;
  /** Seconds. */
  readonly uptime: number;
  /** As the user gave them; null is the local middleware, and no user. */
  readonly uri: string | null;
  readonly username: string | null;
  readonly phase: string;
  /** Seconds without work after which it ends; 0 is never. */
  readonly lifetime: number;
  readonly clients: number;
  /** Bytes. */
  readonly memory: number;
  readonly middleware: {
    readonly uri: string;
    readonly state: string;
    /** ISO 8601. */
    readonly since: string;
    readonly last_error: string | null;
    readonly logins: number;
    readonly reconnects: number;
    /** False when the login took a one-time code and nothing is left to do it again with. */
    readonly can_log_in_again: boolean;
    /** The login took a one-time code: nobody else can do it again without another. Missing: an older daemon, which does not tell. */
    readonly one_time_code?: boolean;
    /** The server's certificate is not verified. Missing: an older daemon, which does not tell. */
    readonly insecure?: boolean;
    /** One certificate alone is accepted there. Missing: an older daemon. */
    readonly pinned?: boolean;
    /** The number of the key that logged in; null is a password, or no login at all. */
    readonly api_key?: string | null;
  };
  readonly calls: {
    readonly served: number;
    readonly failed: number;
    /** At the middleware, not answered. */
    readonly in_flight: number;
    /** Waiting to be sent. */
    readonly queued: number;
    /** Milliseconds, of the last calls. */
    readonly latency: { readonly p50: number; readonly p90: number; readonly p99: number } | null;
  };
  readonly jobs: { readonly followed: number };
  /** Missing: an older daemon, which does not tell. */
  readonly settings?: DaemonSettings;
}

/** What a daemon was told to be, so that one in its place can be the same. `lifetime` is one of them. */
export interface DaemonSettings {
  readonly concurrency: number;
  /** Seconds, for calls that name no timeout. */
  readonly call_timeout: number;
  /** Seconds. */
  readonly linger: number;
  readonly max_connections: number;
  /** Mebibytes. */
  readonly memory: number;
  /** Absolute; null is stderr. */
  readonly log_file: string | null;
  readonly log_level: Level;
  /** Of authorities that are trusted, too: absolute, null is none. Missing: an older daemon. */
  readonly ca_file?: string | null;
  /** A service manager runs it, or the program that it is a part of: nobody else is to replace it. */
  readonly managed: boolean;
}

/** The text of a status as a report, or null if a member that every daemon tells is missing or of the wrong type. */
export function readStatus(text: Buffer): StatusReport | null {
  let value: unknown;
  try {
    value = JSON.parse(text.toString());
  } catch {
    return null;
  }
  if (!matches(value, REPORT)) return null;
  const { settings, ...report } = value as StatusReport;
  return settings && matches(settings, SETTINGS) ? { ...report, settings } : report;
}

/** The types of the members of {@link StatusReport} that version 0.1.0 told already, and of others where they are there (`??`). */
type Shape = 'number' | 'text' | 'text?' | 'text??' | 'flag' | { readonly [name: string]: Shape };

const REPORT: Shape = {
  ...{ pid: 'number', version: 'text', uptime: 'number', uri: 'text?', username: 'text?' },
  ...{ phase: 'text', lifetime: 'number', clients: 'number', memory: 'number' },
  middleware: {
    ...{ uri: 'text', state: 'text', since: 'text', last_error: 'text?' },
    ...{ logins: 'number', reconnects: 'number', can_log_in_again: 'flag' },
  },
  calls: { served: 'number', failed: 'number', in_flight: 'number', queued: 'number' },
  jobs: { followed: 'number' },
};

const SETTINGS: Shape = {
  ...{ concurrency: 'number', call_timeout: 'number', linger: 'number' },
  ...{
    max_connections: 'number',
    memory: 'number',
    log_file: 'text?',
    log_level: 'text',
    ca_file: 'text??',
    managed: 'flag',
  },
};

function matches(value: unknown, shape: Shape): boolean {
  switch (shape) {
    case 'number':
      return typeof value === 'number' && Math.abs(value) < 1e15;
    case 'text':
      return typeof value === 'string';
    case 'text?':
      return value === null || typeof value === 'string';
    case 'text??':
      return value === undefined || value === null || typeof value === 'string';
    case 'flag':
      return typeof value === 'boolean';
    default:
      return (
        typeof value === 'object' &&
        value !== null &&
        Object.entries(shape).every(([name, each]) => matches(Reflect.get(value, name), each))
      );
  }
}

/** What of it is known where the middleware is. */
export interface CoreReport extends Pick<StatusReport, 'middleware' | 'calls' | 'jobs'> {
  readonly settings: Pick<DaemonSettings, 'concurrency' | 'call_timeout'>;
}
