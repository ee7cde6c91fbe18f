/** What a daemon says of itself: the result of `status`. Names as on the wire. */

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
}

/** What of it is known where the middleware is. */
export type CoreReport = Pick<StatusReport, 'middleware' | 'calls' | 'jobs'>;
