/**
 * The commands that look at daemons: `daemon-status`, `daemon-list`, `daemon-log`, `daemon-stop --all`. And what a
 * call or `daemon-stop` says of them on stderr.
 */
import fs from 'node:fs';
import { isatty } from 'node:tty';
import { crashText, readCrashNote, recentCrash, tellCrashOnce } from '../../daemon/crash.js';
import { LogPrinter, followLog, lastLines } from '../../daemon/log/reader.js';
import { MidcltError, asMidcltError, followedBy, publicText, systemReason } from '../../errors.js';
import { daemonPaths, getDaemonDir, pidBeside, profilesPath } from '../../files/paths.js';
import { profileNames } from '../../profiles/file.js';
import { askStatus, isListening, sendStop, type Address } from '../../protocol/client.js';
import { mayBeBusy } from '../../protocol/signs-of-life.js';
import { readStatus, type StatusReport } from '../../protocol/status.js';
import { hostOf, ownCommand } from '../../text/for-person.js';
import type { Arguments } from '../args/arguments.js';
import { sayError, sayLine, writeOut } from '../output/output.js';
import { exposition } from '../output/prometheus.js';
import { aligned, duration, printLines } from '../output/table.js';

/** `daemon-status`. Returns the exit code: 0 if the daemon runs and answers, else 1. */
export async function daemonStatus(args: Arguments): Promise<number> {
  const { uri, username, json, prometheus } = args;
  const paths = daemonPaths(uri, username);
  const daemon = await look(paths);
  const crash = recentCrash(paths.crash);
  const { state, report, problem, pid } = daemon;
  const whose = { uri: report ? report.uri : uri, username: report ? report.username : username };
  const profiles = profileNames(profilesPath)(whose.uri, whose.username);
  if (prometheus) printLines(exposition([{ ...daemon, ...whose, profiles }]));
  if (report) {
    if (!prometheus)
      printLines(json ? [JSON.stringify({ ...report, profiles })] : table(report, profiles, crash));
    return 0;
  }
  if (state === 'gone') {
    sayLine('No daemon is currently running');
    if (crash !== null) sayLine(crash);
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

/** `daemon-list`. Returns the exit code: 0, also when there are none. */
export async function daemonList({ json, prometheus }: Arguments): Promise<number> {
  const daemons = await lookAround();
  const namesOf = profileNames(profilesPath);
  const named = daemons.map((daemon) => {
    const { report } = daemon;
    return { ...daemon, profiles: report ? namesOf(report.uri, report.username) : [] };
  });
  if (json) {
    printLines(named.map((daemon) => JSON.stringify(entryOf(daemon))));
    return 0;
  }
  // Who has no profiles sees nothing of them.
  const hasNames = named.some(({ profiles }) => profiles.length > 0);
  const rows = named.map((daemon) => rowOf(daemon, hasNames));
  const titles = [...['PID', 'STATE', 'UPTIME', ...(hasNames ? ['PROFILE'] : [])], 'USER', 'URI'];
  if (prometheus) printLines(exposition(named, getDaemonDir()));
  else if (rows.length > 0) printLines(aligned([titles, ...rows]));
  for (const { problem } of daemons) if (problem !== null) sayLine(problem);
  return 0;
}

function table(report: StatusReport, profiles: readonly string[], crash: string | null): string[] {
  const { middleware, calls, jobs, settings } = report;
  const { latency } = calls;
  const again = middleware.can_log_in_again
    ? []
    : [['', 'it cannot log in again: the one-time code is spent']];
  const lines = [
    ['pid', `${report.pid}`],
    ['version', report.version],
    ['uptime', duration(report.uptime)],
    ...(profiles.length > 0 ? [['profile', profiles.join(', ')]] : []),
    ['URI', middleware.uri],
    ...(middleware.pinned ? [['', "the server's certificate is pinned (midclt trust)"]] : []),
    ...(settings?.ca_file ? [['authorities', settings.ca_file]] : []),
    ...(middleware.insecure ? [['', "the server's certificate is NOT verified (--insecure)"]] : []),
    ['user', report.username ?? '-'],
    ...(middleware.api_key ? [['API key', `number ${middleware.api_key}`]] : []),
    ['state', report.phase === 'accepting' ? 'accepting calls' : report.phase],
    ['middleware', `${middleware.state} since ${middleware.since}`],
    ...again,
    ['last error', middleware.last_error ?? '-'],
    ...(crash === null ? [] : [['before it', crash]]),
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

/** With the names of its profiles. */
interface Named extends Daemon {
  readonly profiles: readonly string[];
}

function rowOf({ socket, pid, state, report, profiles }: Named, hasNames: boolean): string[] {
  const name = /daemon-(.+)\.sock$/.exec(socket)?.[1] ?? socket;
  const uri = report ? (report.uri ?? 'local') : name;
  return [
    report ? `${report.pid}` : `${pid ?? '-'}`,
    report?.middleware.state ?? state,
    report ? duration(report.uptime) : '-',
    ...(hasNames ? [profiles.join(',') || '-'] : []),
    report?.username ?? '-',
    uri,
  ];
}

function entryOf({ socket, pid, state, report, problem, profiles }: Named): object {
  return { socket, pid, state, problem, profiles, status: report };
}

const STDOUT = 1;

/** `daemon-log`. Returns the exit code, 0; with `--follow` it never resolves. Throws `FILES` or `BROKEN_PIPE`. */
export async function daemonLog(args: Arguments): Promise<number> {
  const { uri, username, lines, follow, json } = args;
  const path = daemonPaths(uri, username).log;
  const printer = new LogPrinter({ json, isTerminal: isatty(STDOUT) });
  const print = (found: readonly Buffer[]) => {
    const text = found.map((line) => printer.print(line));
    if (text.length > 0) writeOut(Buffer.concat(text));
  };
  const descriptor = open(path, args);
  const { lines: last, end } = lastLines(path, descriptor, lines, !follow);
  print(last);
  if (follow) await followLog(path, descriptor, end, print);
  fs.closeSync(descriptor);
  return 0;
}

function open(path: string, { uri }: Arguments): number {
  try {
    // O_NONBLOCK, because to open a pipe would wait for its other end.
    const descriptor = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    if (fs.fstatSync(descriptor).isFile()) return descriptor;
    fs.closeSync(descriptor);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const whose = uri === null ? '' : ' for this URI and user';
    const hint = isMissing
      ? `. No daemon ran${whose}, it logs elsewhere (--log-file), or it was removed`
      : '';
    throw new MidcltError('FILES', `Cannot read the log ${path}: ${systemReason(error)}${hint}`);
  }
  throw new MidcltError('FILES', `The log ${path} is no regular file`);
}

/** `daemon-stop --all`. Returns the exit code: 0 if all have ended; 1 if there were none, or one did not end. */
export async function stopAll(): Promise<number> {
  const daemons = (await lookAround()).filter(({ state }) => state !== 'gone');
  if (daemons.length === 0) {
    sayLine('No daemon is currently running');
    return 1;
  }
  const stopped = await Promise.all(daemons.map(stop));
  return stopped.every(Boolean) ? 0 : 1;
}

async function stop({ address, socket, pid, problem }: Daemon): Promise<boolean> {
  if (problem !== null) {
    sayLine(`Error: ${problem}`);
    return false;
  }
  const who = pid === null ? socket : `pid ${pid}`;
  try {
    const answer = await sendStop(address);
    const isStopped = typeof answer === 'string';
    sayLine(`${isStopped ? answer : `Error stopping daemon: ${answer.error}`} (${who})`);
    return isStopped;
  } catch (error) {
    if (asMidcltError(error).code === 'NO_DAEMON') return true; // it has just gone
    sayError(error);
    return false;
  }
}

export interface Daemon {
  readonly address: Address;
  readonly socket: string;
  /** From the pid file. */
  readonly pid: number | null;
  /** `foreign`: the Python daemon, which does not know `status`, or is too busy to say even that. `gone`: nothing listens. */
  readonly state: 'running' | 'foreign' | 'hung' | 'gone' | 'unusable';
  readonly report: StatusReport | null;
  /** What is wrong, where something is. */
  readonly problem: string | null;
}

/** Asks a daemon for its status. Never rejects. */
export async function look(address: Address): Promise<Daemon> {
  const { socket } = address;
  const pid = pidBeside(socket);
  const name = pid === null ? `The daemon at ${socket}` : `The daemon (pid ${pid})`;
  const found = (state: Daemon['state'], problem: string | null = null): Daemon => {
    return { address, socket, pid, state, report: null, problem };
  };
  try {
    const answer = await askStatus(address);
    if (!Buffer.isBuffer(answer)) {
      // An unknown command is a ValueError; what refuses a known one is something else.
      return answer.errorType === 'ValueError' ? found('foreign') : found('unusable', answer.error);
    }
    const report = readStatus(answer);
    if (report) return { ...found('running'), report };
    return found('unusable', `${name} answered 'status' with what is no status`);
  } catch (error) {
    const { code } = asMidcltError(error);
    const message = publicText(error);
    if (code === 'NO_DAEMON') return found('gone');
    if (code === 'LOST') {
      const isGone = !(await isListening(address));
      return isGone
        ? found('gone')
        : found('unusable', `${name} closed the connection without an answer`);
    }
    if (code !== 'HUNG') return found('unusable', message);
    return mayBeBusy(socket, false) ? found('foreign') : found('hung', message);
  }
}

/** All that have a socket in the directory, by name. */
function lookAround(): Promise<Daemon[]> {
  const directory = getDaemonDir();
  const names = fs.existsSync(directory) ? fs.readdirSync(directory) : [];
  const sockets = names.filter((name) => /^daemon-[^/]+\.sock$/.test(name)).sort();
  return Promise.all(sockets.map((name) => look({ directory, socket: `${directory}/${name}` })));
}

/**
 * Says why a call waits, if its daemon has no connection to the middleware. `isOver` tells whether the answer has come
 * meanwhile. Never rejects: if the daemon answers nonsense, the call itself says so.
 */
export async function sayWhyDaemonWaits(address: Address, isOver: () => boolean): Promise<void> {
  const { report } = await look(address);
  const middleware = (report as Partial<StatusReport> | null)?.middleware;
  if (!middleware || isOver()) return;
  const { uri, state, last_error } = middleware;
  if (state !== 'ready')
    sayLine(`Waiting for ${hostOf(uri)}: ${reasonOf(uri, last_error ?? state)}`);
}

/** An error's text without the URI, which the line names already. */
function reasonOf(uri: string, error: unknown): string {
  return String(error)
    .replace(`Cannot connect to ${uri}: `, '')
    .replace(`Connection to ${uri} lost`, 'connection lost');
}

type DaemonName = Pick<Arguments, 'uri' | 'username'>;

/** Says how to stop the daemons of the same URI and another user; without a URI, any that there is. */
export async function sayNearMatches(asked: DaemonName): Promise<void> {
  for (const { report } of await lookAround()) {
    if (!report || (asked.uri && report.uri !== asked.uri)) continue;
    const { uri, username } = report;
    const whose = [...(username ? [username] : []), uri ?? 'the local middleware'].join(' at ');
    sayLine(
      `There is one for ${whose}; '${ownCommand({ uri, username }, ['daemon-stop'])}' stops it`,
    );
  }
}

/** Says, once, that the daemon before the one that was just started ended of a bug. */
export function tellCrash({ uri, username }: DaemonName): void {
  tellCrashOnce(daemonPaths(uri, username).crash, (note) => {
    sayLine(`Warning: ${crashText(note)}`);
  });
}

/** The error of a call whose daemon went away, with the bug that ended it, if it was one. */
export function afterCrash({ uri, username }: DaemonName, error: MidcltError): MidcltError {
  const note = readCrashNote(daemonPaths(uri, username).crash);
  const started = Date.now() - process.uptime() * 1000;
  const isNew = note && Date.parse(note.time) >= started;
  return isNew ? followedBy(error, crashText(note)) : error;
}
