/** `daemon-status` and `daemon-list`: what the daemons say of themselves. */
import { daemonPaths } from '../../files/paths.js';
import type { StatusReport } from '../../protocol/status.js';
import type { Arguments } from '../args/arguments.js';
import { look, lookAround, type Daemon } from './daemons.js';
import { sayLine, writeOut } from '../output/output.js';
import { stripControls } from '../../text/terminal.js';

/** 0 if it runs and answers, else 1. */
export async function daemonStatus({ uri, username, json }: Arguments): Promise<number> {
  const daemon = await look(daemonPaths(uri, username));
  const { state, report, problem, pid } = daemon;
  if (report) {
    print(json ? [JSON.stringify(report)] : table(report));
    return 0;
  }
  if (state === 'gone') {
    sayLine('No daemon is currently running');
    return 1;
  }
  if (state === 'foreign') {
    const who = pid === null ? '' : ` (pid ${pid})`;
    sayLine(`A daemon is running${who} that does not tell its status, as the Python one`);
    return 1;
  }
  sayLine(`Error: ${problem ?? state}`);
  return 1;
}

/** 0, also when there are none. */
export async function daemonList({ json }: Arguments): Promise<number> {
  const daemons = await lookAround();
  if (json) {
    print(daemons.map((daemon) => JSON.stringify(entryOf(daemon))));
    return 0;
  }
  const rows = daemons.map(rowOf);
  if (rows.length > 0) print(aligned([['PID', 'STATE', 'UPTIME', 'USER', 'URI'], ...rows]));
  for (const { problem } of daemons) if (problem !== null) sayLine(problem);
  return 0;
}

function table(report: StatusReport): string[] {
  const { middleware, calls, jobs } = report;
  const { latency } = calls;
  const again = middleware.can_log_in_again
    ? []
    : [['', 'it cannot log in again: the one-time code is spent']];
  const lines = [
    ['pid', `${report.pid}`],
    ['version', report.version],
    ['uptime', duration(report.uptime)],
    ['URI', middleware.uri],
    ...(middleware.insecure ? [['', "the server's certificate is NOT verified (--insecure)"]] : []),
    ['user', report.username ?? '-'],
    ...(middleware.api_key ? [['API key', `number ${middleware.api_key}`]] : []),
    ['state', report.phase === 'accepting' ? 'accepting calls' : report.phase],
    ['middleware', `${middleware.state} since ${middleware.since}`],
    ...again,
    ['last error', middleware.last_error ?? '-'],
    ['logins', `${middleware.logins}, reconnects ${middleware.reconnects}`],
    ['calls', `${calls.served} served, ${calls.failed} failed`],
    ['now', `${calls.in_flight} in flight, ${calls.queued} queued, ${jobs.followed} jobs followed`],
    ['clients', `${report.clients}`],
    [
      'latency',
      latency ? `p50 ${latency.p50} ms, p90 ${latency.p90} ms, p99 ${latency.p99} ms` : '-',
    ],
    ['memory', `${Math.round(report.memory / 1024 / 1024)} MB`],
    [
      'ends',
      report.lifetime > 0 ? `after ${report.lifetime} s without a call` : 'when it is told to',
    ],
  ];
  return aligned(lines);
}

function rowOf({ socket, pid, state, report }: Daemon): string[] {
  const name = /daemon-(.+)\.sock$/.exec(socket)?.[1] ?? socket;
  const uri = report ? (report.uri ?? 'local') : name;
  return [
    report ? `${report.pid}` : `${pid ?? '-'}`,
    report?.middleware.state ?? state,
    report ? duration(report.uptime) : '-',
    report?.username ?? '-',
    uri,
  ];
}

function entryOf({ socket, pid, state, report, problem }: Daemon): object {
  return { socket, pid, state, problem, status: report };
}

/** Columns two blanks apart. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function duration(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const clock = new Date((seconds % 86_400) * 1000).toISOString().slice(11, 19);
  return days > 0 ? `${days}d ${clock}` : clock;
}

/** What a daemon says may come from a server. */
function print(lines: readonly string[]): void {
  if (lines.length > 0)
    writeOut(Buffer.from(`${lines.map((line) => stripControls(line, '')).join('\n')}\n`));
}
