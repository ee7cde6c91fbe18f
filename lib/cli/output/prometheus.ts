/**
 * What daemons say of themselves in Prometheus' text format: base units, a HELP and a TYPE for each name, the samples of a
 * name together. No timestamps, which node_exporter's textfile collector refuses.
 */
import path from 'node:path';
import type { StatusReport } from '../../protocol/status.js';
import { stripControls } from '../../text/terminal.js';

export interface Observed {
  readonly socket: string;
  readonly state: 'running' | 'foreign' | 'hung' | 'gone' | 'unusable';
  readonly report: StatusReport | null;
  /** Whose daemon it is, where that is known without its answer. */
  readonly uri?: string | null;
  readonly username?: string | null;
  readonly profiles: readonly string[];
}

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly of: (daemon: Observed) => readonly Sample[];
}

const DAEMON_STATES = ['running', 'foreign', 'hung', 'gone', 'unusable'];
const MIDDLEWARE_STATES = ['connecting', 'authenticating', 'ready', 'waiting', 'closed'];

const METRICS: readonly Metric[] = [
  {
    name: 'midclt_daemon_up',
    help: 'Whether the daemon answers and tells its status.',
    type: 'gauge',
    of: ({ report }) => [[{}, flag(report !== null)]],
  },
  {
    name: 'midclt_daemon_state',
    help: "What was found at the daemon's socket: 1 for the state that it is in.",
    type: 'gauge',
    of: ({ state }) => oneOf(DAEMON_STATES, state),
  },
  {
    name: 'midclt_daemon_info',
    help: 'Which daemon it is, as labels; always 1. Without a version it did not answer.',
    type: 'gauge',
    of: (daemon) => [[identityOf(daemon), 1]],
  },
  gauge('midclt_daemon_start_time_seconds', 'When the daemon started, in Unix time.', (report) =>
    unixTime(report.started),
  ),
  gauge(
    'midclt_daemon_accepting',
    'Whether the daemon accepts calls; 0 as it starts and as it ends.',
    ({ phase }) => flag(phase === 'accepting'),
  ),
  gauge(
    'midclt_daemon_resident_memory_bytes',
    "Resident memory of the daemon's process.",
    ({ memory }) => memory,
  ),
  gauge('midclt_clients', 'Connections of clients.', ({ clients }) => clients),
  gauge(
    'midclt_clients_limit',
    'How many connections of clients are admitted.',
    ({ settings }) => settings?.max_connections,
  ),
  counter('midclt_calls_total', 'Calls that were answered, by their outcome.', ({ calls }) => [
    [{ outcome: 'succeeded' }, calls.served],
    [{ outcome: 'failed' }, calls.failed],
  ]),
  gauge(
    'midclt_calls_in_flight',
    'Calls that are at the middleware.',
    ({ calls }) => calls.in_flight,
  ),
  gauge(
    'midclt_calls_in_flight_limit',
    'How many calls may be at the middleware at once.',
    ({ settings }) => settings?.concurrency,
  ),
  gauge('midclt_calls_queued', 'Calls that wait to be sent.', ({ calls }) => calls.queued),
  {
    name: 'midclt_call_duration_seconds',
    help: 'How long the last 1024 calls took, by percentile.',
    type: 'gauge',
    of: ({ report }) => latencyOf(report),
  },
  gauge('midclt_jobs_followed', 'Jobs that are followed.', ({ jobs }) => jobs.followed),
  {
    name: 'midclt_middleware_state',
    help: "The connection to the middleware: 1 for the state that it is in; calls are sent in 'ready'.",
    type: 'gauge',
    of: ({ report }) => (report ? oneOf(MIDDLEWARE_STATES, report.middleware.state) : []),
  },
  gauge(
    'midclt_middleware_state_change_timestamp_seconds',
    'When the connection to the middleware entered its state, in Unix time.',
    ({ middleware }) => unixTime(middleware.since),
  ),
  gauge(
    'midclt_middleware_can_log_in_again',
    'Whether a lost connection can be made anew; 0 when a one-time code is spent.',
    ({ middleware }) => flag(middleware.can_log_in_again),
  ),
  counter('midclt_middleware_logins_total', 'Logins at the middleware.', ({ middleware }) => [
    [{}, middleware.logins],
  ]),
  counter(
    'midclt_middleware_reconnects_total',
    'Connections to the middleware that were made anew.',
    ({ middleware }) => [[{}, middleware.reconnects]],
  ),
];

/** One exposition of all of them; `directory` is given where they are all that it has, and counts them. */
export function exposition(daemons: readonly Observed[], directory?: string): string[] {
  const count =
    directory === undefined
      ? []
      : [
          ...head('midclt_daemons', 'Daemons that have a socket in the directory.', 'gauge'),
          line('midclt_daemons', { directory }, daemons.length),
        ];
  const rest = METRICS.flatMap(({ name, help, type, of }) => {
    const lines = daemons.flatMap((daemon) =>
      of(daemon).map(([labels, value]) => line(name, { socket: daemon.socket, ...labels }, value)),
    );
    return lines.length > 0 ? [...head(name, help, type), ...lines] : [];
  });
  return [...count, ...rest];
}

function head(name: string, help: string, type: Metric['type']): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
  return `${name}{${pairs.join(',')}} ${value}`;
}

/** Control characters go first: an escape sequence would take the quotation mark behind it for its own. */
function escaped(text: string): string {
  return stripControls(text, '\n').replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n');
}

/** A gauge of a daemon that has answered; without a number there is no sample. */
function gauge(
  name: string,
  help: string,
  read: (report: StatusReport) => number | null | undefined,
): Metric {
  const of = ({ report }: Observed): Sample[] => {
    const value = report && read(report);
    return typeof value === 'number' ? [[{}, value]] : [];
  };
  return { name, help, type: 'gauge', of };
}

function counter(
  name: string,
  help: string,
  read: (report: StatusReport) => readonly Sample[],
): Metric {
  return { name, help, type: 'counter', of: ({ report }) => (report ? read(report) : []) };
}

function identityOf({ socket, report, uri, username, profiles }: Observed): Labels {
  return {
    daemon: /^daemon-(.+)\.sock$/.exec(path.basename(socket))?.[1] ?? '',
    uri: report?.uri ?? uri ?? report?.middleware.uri ?? '',
    username: report?.username ?? username ?? '',
    profile: profiles.join(','),
    version: report?.version ?? '',
  };
}

/** Milliseconds as seconds, without the digits that the division makes. */
function latencyOf(report: StatusReport | null): Sample[] {
  const latency = report?.calls.latency;
  if (!latency) return [];
  return [50, 90, 99].flatMap((percentile): Sample[] => {
    const milliseconds: unknown = Reflect.get(latency, `p${percentile}`);
    if (typeof milliseconds !== 'number') return [];
    return [[{ percentile: `${percentile}` }, Number((milliseconds / 1000).toFixed(6))]];
  });
}

/** A state that is none of them has a sample of its own. */
function oneOf(states: readonly string[], current: string): Sample[] {
  const all = states.includes(current) ? states : [...states, current];
  return all.map((state) => [{ state }, flag(state === current)]);
}

function unixTime(iso: string): number | null {
  const milliseconds = Date.parse(iso);
  return Number.isNaN(milliseconds) ? null : milliseconds / 1000;
}

function flag(is: boolean): number {
  return is ? 1 : 0;
}
