/** What `doctor` looks at of profiles and daemons: the system that is meant, the directory, the socket, and who answers there. */
import { accessSync, constants, existsSync, lstatSync } from 'node:fs';
import { MidcltError, shellWord, systemReason } from '../../errors.js';
import {
  checkSocketPath,
  daemonPaths,
  getDaemonDir,
  profilesPath,
  viewProcess,
} from '../../files/paths.js';
import { recentCrash } from '../../daemon/crash.js';
import { directoryMode, trustAncestors, trustSocket } from '../../files/trust.js';
import { targetOf } from '../../login/target.js';
import { PROFILE, URI } from '../../login/variables.js';
import { profileOf, readProfiles, type Profiles } from '../../profiles/file.js';
import { LOCAL } from '../../profiles/profile.js';
import { VERSION } from '../../protocol/frames.js';
import type { StatusReport } from '../../protocol/status.js';
import { startCommand } from '../../text/for-person.js';
import { profileChoice } from '../args/environment.js';
import { look } from '../commands/daemons.js';
import { duration } from '../output/table.js';
import { commandFor, failed, failedBy, ok, warning } from './check.js';
import type { Check, Context, Found } from './check.js';

export const daemonChecks: readonly Check[] = [
  { name: 'profile', look: profile },
  { name: 'uri', after: ['profile'], look: uri },
  { name: 'directory', look: directory },
  { name: 'socket', after: ['profile', 'uri', 'directory'], look: socket },
  { name: 'daemon', after: ['profile', 'uri', 'directory', 'socket'], look: daemon },
];

function profile({ given, env, problem }: Context): Found {
  if (problem !== null) return failedBy(problem, adviceFor(problem));
  const choice = profileChoice(given, env);
  let profiles: Profiles;
  try {
    profiles = readProfiles(profilesPath(env));
  } catch (error) {
    if (choice !== null) throw error;
    const { message, advice } = failedBy(error);
    return warning(`none is used; but: ${message}`, advice);
  }
  const { path, entries } = profiles;
  const wrong = [...entries.keys()].flatMap((name) => defectOf(profiles, name) ?? []);
  const [first] = wrong;
  if (first !== undefined) return warning(first, `$EDITOR ${shellWord(path)}`);
  const kept = entries.size === 0 ? 'there are none' : `${path} has ${entries.size}`;
  const name = choice === null ? null : choice || profiles.default;
  if (name === null) return ok(`none is used; ${kept}`);
  const from = given.profile ? '-p' : choice === '' ? `the default of ${path}` : PROFILE;
  return ok(`'${name}', from ${from}; ${name === LOCAL ? 'it is no profile' : kept}`);
}

function adviceFor(problem: unknown): string | null {
  const file = /^The (?:profiles in|file of profiles) (\/\S+)/.exec((problem as Error).message);
  return file?.[1] === undefined ? null : `$EDITOR ${shellWord(file[1])}`;
}

function defectOf(profiles: Profiles, name: string): string | null {
  try {
    profileOf(profiles, name);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function uri(context: Context): Found {
  const { args } = context;
  const target = targetOf(args);
  context.target = target;
  const who = args.username ? `, as ${args.username}` : '';
  return ok(`${target.uri}, ${originOf(context)}${who}`);
}

function originOf({ given, args, env }: Context): string {
  if (given.uri !== null) return 'from -u';
  if (args.uri === null) return 'the middleware of this machine';
  return profileChoice(given, env) === null || (args.profile === null && args.profileWords === null)
    ? `from ${URI}`
    : 'from the profile';
}

function directory({ env }: Context): Found {
  const path = getDaemonDir(env);
  const mode = directoryMode(path);
  if (mode === null) {
    trustAncestors(path);
    let parent = path;
    while (!existsSync(parent)) parent = parent.slice(0, parent.lastIndexOf('/')) || '/';
    const why = unwritable(parent);
    if (why !== null) {
      const text = `${path} cannot be made in ${parent}: ${systemReason(why)}`;
      return failed(text, elsewhere(env));
    }
    return ok(`${path} is not there yet; the first daemon makes it`);
  }
  const octal = mode.toString(8).padStart(4, '0');
  if ((mode & 0o077) !== 0) {
    return warning(
      `Others can enter ${path} (mode ${octal}); the next daemon or call with -d makes it 0700`,
      `chmod 700 ${shellWord(path)}`,
    );
  }
  const why = unwritable(path);
  if (why === null) return ok(`${path} (mode ${octal}), which only you can enter`);
  // A file system that is only read, say, is not opened by any mode.
  const helps = why.code === 'EACCES' ? `chmod 700 ${shellWord(path)}` : elsewhere(env);
  return failed(`${path} cannot be written to: ${systemReason(why)}`, helps);
}

function elsewhere(env: NodeJS.ProcessEnv): string {
  return `export MIDCLT_HOME=${env.MIDCLT_HOME ? '~/.midclt' : '/run/user/$(id -u)/midclt'}`;
}

function unwritable(path: string): NodeJS.ErrnoException | null {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}

function socket({ args, env }: Context): Found {
  const { socket } = daemonPaths(args.uri, args.username);
  try {
    checkSocketPath(socket);
  } catch (error) {
    return failedBy(error, env.MIDCLT_HOME ? 'unset MIDCLT_HOME' : elsewhere(env));
  }
  try {
    return ok(trustSocket(socket) ? socket : `${socket}, where none is yet`);
  } catch (error) {
    const isThere = error instanceof MidcltError && lstatSync(socket, { throwIfNoEntry: false });
    return failedBy(error, isThere ? `rm ${shellWord(socket)}` : null);
  }
}

async function daemon(context: Context): Promise<Found> {
  const found = await runningOne(context);
  const { args } = context;
  const crash =
    found.state === 'failed' ? null : recentCrash(daemonPaths(args.uri, args.username).crash);
  if (crash === null) return found;
  return warning(`${found.message}. ${crash}`, found.advice ?? commandFor(context, ['daemon-log']));
}

async function runningOne(context: Context): Promise<Found> {
  const { args, target } = context;
  const paths = daemonPaths(args.uri, args.username);
  const start = `'${startCommand(args)}' starts one`;
  if (!existsSync(paths.socket)) return ok(`none runs. ${start}`);
  const { state, report, problem, pid } = await look(paths);
  if (report) {
    context.report = report;
    const needed =
      target?.scheme === 'wss' && target.verify === (report.middleware.insecure ?? false);
    return running(
      context,
      report,
      needed ? 'verifies the certificate otherwise than it is asked to' : null,
    );
  }
  const process = pid === null ? '' : ` (pid ${pid})`;
  switch (state) {
    case 'gone':
      return ok(
        `none runs; a socket is left, as by one that was killed, which the next one removes. ${start}`,
      );
    case 'foreign':
      return warning(
        `one runs${process} that does not tell its status, as the Python one: calls with -d go through it, without what only this one can do`,
        commandFor(context, ['daemon-stop']),
      );
    case 'hung': {
      if (pid === null) return failed(problem ?? state, `fuser -k ${shellWord(paths.socket)}`);
      const signal = viewProcess(pid)?.isStopped ? 'CONT' : 'KILL';
      return failed(problem ?? state, `kill -${signal} ${pid}`);
    }
    case 'running':
    case 'unusable':
      return failed(problem ?? state, commandFor(context, ['daemon-log']));
  }
}

function running(context: Context, report: StatusReport, mismatch: string | null): Found {
  const { pid, version, uptime, phase, middleware } = report;
  const one = `one runs (pid ${pid}, version ${version}, for ${duration(uptime)})`;
  const stop = commandFor(context, ['daemon-stop']);
  const { state, last_error: error } = middleware;
  if (state !== 'ready') {
    const why = error === null ? '' : `: ${error}`;
    const find = state === 'waiting' ? failed : warning;
    return find(
      `${one}; it has no connection to the middleware (${state})${why}`,
      commandFor(context, ['daemon-log']),
    );
  }
  if (mismatch !== null) return warning(`${one}; it ${mismatch}, and refuses calls`, stop);
  if (phase !== 'accepting')
    return warning(`${one}; it is ending (${phase})`, startCommand(context.args));
  if (!middleware.can_log_in_again) {
    return warning(
      `${one}; it can't log in again when its session ends, since the one-time code is spent`,
      stop,
    );
  }
  if (version !== VERSION) {
    const next = middleware.one_time_code
      ? 'it stays until it is stopped, since its login took a one-time code'
      : 'the next call with -d replaces it if it is older';
    return warning(`${one}; this program is ${VERSION}, and ${next}`, stop);
  }
  return ok(`${one}, and is connected`);
}
