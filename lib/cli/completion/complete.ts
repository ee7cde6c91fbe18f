/**
 * `complete`: what the scripts of `completion` ask for at a prompt, a name a line with what it is behind a tab. It
 * answers from files, and says nothing of what goes wrong. Where the server's names are not known, a process in the
 * background asks the daemon for them, if one runs: for the next time. Jobs are what they are now: of those a daemon
 * that runs is asked at once, and has a moment to answer.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { daemonPaths, getDaemonDir, profilesPath } from '../../files/paths.js';
import { trustDirectory } from '../../files/trust.js';
import { elementsOf, membersOf, type Members } from '../../json/members.js';
import { profileOf, readProfiles } from '../../profiles/file.js';
import { ALL, LOCAL, type Profile } from '../../profiles/profile.js';
import { stripControls } from '../../text/terminal.js';
import type { Arguments } from '../args/arguments.js';
import { parseArgv } from '../args/argv.js';
import { profileChoice, withEnvironment } from '../args/environment.js';
import { withProfiles } from '../args/profile.js';
import { withExchange } from '../commands/exchange.js';
import { listedJobs } from '../commands/jobs.js';
import { readCache, type Row } from '../find/cache.js';
import { KNOWN_EVENTS, refreshNames } from '../find/catalog.js';
import { hasEnded, wordOf } from '../output/job-text.js';
import { writeOut } from '../output/output.js';
import type { List } from './levels.js';

/** A name, and what it is. */
type Item = readonly [name: string, note: string];

/** What a shell is sure to take for a word of its own. Other names are not offered. */
const SAFE = /^[A-Za-z0-9_@][A-Za-z0-9_.:/@%+-]{0,199}$/;
const LONGEST_NOTE = 72;
const PLAIN = /^[ -~]*$/;

const REFRESH = 'refresh';

/** `LIST`, or `refresh`, and the options that say which system. Returns the exit code. */
export async function complete([list = '', ...options]: readonly string[]): Promise<number> {
  try {
    if (list === REFRESH) return await refresh(systemsOf(options));
    const items = await itemsOf(list as List, options);
    const lines = items.filter(([name]) => SAFE.test(name)).map(lineOf);
    if (lines.length > 0) writeOut(Buffer.from(lines.join('')));
    return 0;
  } catch {
    return 1;
  }
}

function lineOf([name, note]: Item): string {
  const line = note.slice(0, 4 * LONGEST_NOTE);
  // Most are plain: a thousand lines are to be made while somebody waits.
  const text = PLAIN.test(line) ? line : stripControls(line.replace(/\s+/g, ' ')).trim();
  const short = text.length > LONGEST_NOTE ? `${text.slice(0, LONGEST_NOTE - 1)}…` : text;
  return `${name}\t${short}\n`;
}

function itemsOf(
  list: List,
  options: readonly string[],
): readonly Item[] | Promise<readonly Item[]> {
  switch (list) {
    case 'jobs':
      return jobs(systemsOf(options), () => true);
    case 'open-jobs':
      return jobs(systemsOf(options), (job) => !hasEnded(job));
    case 'methods':
      return methods(systemsOf(options), () => true);
    case 'downloads':
      return methods(systemsOf(options), (row) => row.downloadable);
    case 'uploads':
      return methods(systemsOf(options), (row) => row.uploadable);
    case 'events':
      return events(systemsOf(options));
    case 'profile-names':
      return profiles().map(({ name, uri }) => [name, uri]);
    case 'systems':
      return [
        ...profiles().map(({ name, uri }): Item => [name, uri]),
        ...(profiles().length > 0 ? [[ALL, 'all profiles'] as const] : []),
        [LOCAL, 'the middleware of this machine'],
        ...groups().map(([name, note]): Item => [`@${name}`, note]),
      ];
    case 'groups':
      return groups();
    case 'uris':
      return unique([...profiles(), ...daemons()].map(({ uri, name }) => [uri, name]));
    case 'users':
      return users(options);
  }
}

/** The systems that a command line stands for, first of all its profiles. None where it is not understood. */
function systemsOf(options: readonly string[]): readonly Arguments[] {
  const parsed = parseArgv([...options, 'ping']);
  if (parsed.kind !== 'run') return [];
  const choice = profileChoice(parsed.args, process.env);
  if (choice === null) return [withEnvironment(parsed.args, process.env)];
  const all = withProfiles(parsed.args, choice, process.env);
  return 'name' in all ? [all] : all;
}

/** Of the first system whose methods are known; of such a kind, if any is. */
function methods(systems: readonly Arguments[], isMeant: (row: Row) => boolean): Item[] {
  const rows = rowsOf(systems, 'methods');
  const found = rows.filter(isMeant);
  return (found.length > 0 ? found : rows).map(({ name, summary }) => [name, summary]);
}

/** Where a server lists none, those that servers have had for years, and those that its queries have. */
function events(systems: readonly Arguments[]): Item[] {
  const rows = rowsOf(systems, 'events');
  if (rows.length > 0) return rows.map(({ name, summary }) => [name, summary]);
  const queries = rowsOf(systems, 'methods').filter(({ name }) => name.endsWith('.query'));
  return unique([...KNOWN_EVENTS, ...queries.map(({ name }) => name)].map((name) => [name, '']));
}

function rowsOf(systems: readonly Arguments[], kept: 'methods' | 'events'): readonly Row[] {
  for (const system of systems) {
    const cached = readCache(system, kept);
    if (cached) return cached.rows;
  }
  const [first] = systems;
  if (first) startRefresh(first);
  return [];
}

/** Milliseconds for the daemon. */
const MOMENT = 150;
const MOST_JOBS = 30;

/** The newest jobs of such a kind that the first system's daemon tells of. */
async function jobs(
  [system]: readonly Arguments[],
  isMeant: (job: Members) => boolean,
): Promise<readonly Item[]> {
  if (!system) return [];
  const { directory, socket } = daemonPaths(system.uri, system.username);
  if (!fs.existsSync(socket) || !trustDirectory(directory)) return [];
  setTimeout(() => process.exit(1), MOMENT).unref();
  const args = { ...system, useDaemon: true, autostart: false };
  const answer = await withExchange(args, (exchange) => listedJobs(args, exchange));
  const records = (elementsOf(answer) ?? []).flatMap((each) => membersOf(each) ?? []);
  const noteOf = (job: Members) => `${wordOf(job, 'method')} ${wordOf(job, 'state')}`;
  return records
    .filter(isMeant)
    .slice(0, MOST_JOBS)
    .map((job) => [wordOf(job, 'id'), noteOf(job)]);
}

/** Those that can be read. */
function profiles(): readonly Pick<Profile, 'name' | 'uri' | 'username' | 'groups'>[] {
  try {
    const all = readProfiles(profilesPath());
    return [...all.entries.keys()].map((name) => profileOf(all, name));
  } catch {
    return [];
  }
}

function groups(): Item[] {
  const members = new Map<string, string[]>();
  for (const { name, groups: of } of profiles()) {
    for (const group of of) members.set(group, [...(members.get(group) ?? []), name]);
  }
  return [...members].map(([group, names]) => [group, names.join(', ')]);
}

/** Whose daemons a shell has asked, as it has noted that: an identifier, and `URI:USER`. */
function daemons(): { uri: string; username: string | null; name: string }[] {
  const directory = getDaemonDir();
  const file = `${directory}/daemon-names`;
  if (!fs.existsSync(file) || !trustDirectory(directory)) return [];
  return fs
    .readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const found = /^[0-9a-f]{12} ([^ ]+?)(?::([^:/]*[^:/0-9][^:/]*))?$/.exec(line);
      return found?.[1] === undefined
        ? []
        : [{ uri: found[1], username: found[2] ?? null, name: '' }];
    });
}

/** Of the URI that is given, if one is. */
function users(options: readonly string[]): Item[] {
  const parsed = parseArgv([...options, 'ping']);
  const uri = parsed.kind === 'run' ? parsed.args.uri : null;
  const known = [...profiles(), ...daemons()].filter((each) => uri === null || each.uri === uri);
  return unique(
    known.flatMap(({ username, name }) => (username === null ? [] : [[username, name]])),
  );
}

function unique(items: readonly Item[]): Item[] {
  return [...new Map(items.toReversed()).entries()].reverse();
}

/** Milliseconds for which nobody asks once more, and after which who asks gives up. */
const PAUSE = 60_000;
const PATIENCE = 50_000; // less: of two that are started one after the other one is gone

/** Starts a process that asks the daemon of this system, unless there is none, or that has been tried just now. */
function startRefresh({ uri, username, insecure }: Arguments): void {
  const { directory, socket, asking } = daemonPaths(uri, username);
  if (!fs.existsSync(socket) || !trustDirectory(directory) || !claim(asking)) return;
  const system = [
    ...(uri === null ? ['-p', LOCAL] : ['-u', uri]),
    ...(username === null ? [] : ['-U', username]),
    ...(insecure ? ['--insecure'] : []),
  ];
  const env = Object.entries(process.env).filter(
    ([name]) => name === 'MIDCLT_HOME' || !/^MIDCLT_|^NODE_EXTRA_CA_CERTS$/.test(name),
  );
  const command = [process.argv[1] ?? '', 'complete', REFRESH, ...system];
  const child = spawn(process.execPath, command, {
    ...{ detached: true, stdio: 'ignore', cwd: '/' },
    env: Object.fromEntries(env),
  });
  child.on('error', () => undefined);
  child.unref();
}

/** Of many that want to, one may. What a process leaves behind that has failed, or was killed, is old after a while. */
function claim(file: string): boolean {
  try {
    const stats = fs.lstatSync(file, { throwIfNoEntry: false });
    if (stats && Math.abs(Date.now() - stats.mtimeMs) < PAUSE) return false;
    if (stats) fs.unlinkSync(file);
    fs.writeFileSync(file, '', { flag: 'wx', mode: 0o600 });
    return true;
  } catch {
    return false;
  }
}

/** What {@link startRefresh} starts. Where it fails, its mark stays: nobody tries again for a while. */
async function refresh([system]: readonly Arguments[]): Promise<number> {
  if (!system) return 1;
  setTimeout(() => process.exit(1), PATIENCE).unref();
  await refreshNames({ ...system, useDaemon: true, autostart: false });
  fs.rmSync(daemonPaths(system.uri, system.username).asking, { force: true });
  return 0;
}
