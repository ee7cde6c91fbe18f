/** What `doctor` looks at behind the connection: the login, who that is, the server's clock, and its version. */
import { compose } from '../../compose.js';
import { publicText, shellWord } from '../../errors.js';
import { noLog } from '../../logger.js';
import { profilesPath } from '../../files/paths.js';
import { isTerminalThere } from '../../login/prompt.js';
import { toLoginTarget } from '../../login/target.js';
import { isFinal } from '../../middleware/login/credential.js';
import { EMPTY_LIST } from '../../json/members.js';
import { profileOf, readProfiles } from '../../profiles/file.js';
import { LOCAL } from '../../profiles/profile.js';
import { DEFAULT_CONCURRENCY } from '../../protocol/frames.js';
import { Stopwatch } from '../commands/direct.js';
import { callOf, resultOf } from '../commands/exchange.js';
import { loginCommandOf } from '../commands/login-command.js';
import { anyDaemonExchange } from '../commands/via-daemon.js';
import { failed, failedBy, laterCommand, ok, skipped, warning, within } from './check.js';
import type { Check, Context, Found } from './check.js';

const NETWORK = ['profile', 'uri', 'dns', 'tcp', 'tls', 'websocket'];

export const serverChecks: readonly Check[] = [
  { name: 'login', after: NETWORK, look: login },
  { name: 'privileges', after: [...NETWORK, 'login'], look: privileges },
  { name: 'version', after: [...NETWORK, 'login'], look: version },
  { name: 'clock', after: ['profile', 'uri', 'dns', 'tcp'], look: clock },
];

/** Milliseconds at least: a refused login takes two seconds, and a key is hashed half a million times. */
const LOGIN_PATIENCE = 30_000;

function login(context: Context): Found | Promise<Found> {
  const { args, target, report } = context;
  const { username, password, passwordFile, apiKey } = args;
  const isLocal = target?.scheme === 'ws+unix' && !username && apiKey === null;
  if (isLocal || apiKey !== null || (username && (password || passwordFile !== null))) {
    return logIn(context);
  }
  const { state = null, api_key: key = null } = report?.middleware ?? {};
  if (state === 'ready' && (username || key !== null)) {
    const exchange = anyDaemonExchange({ ...args, useDaemon: true, autostart: false });
    const seconds = context.patience / 1000;
    context.call = (method) => resultOf(exchange, callOf(method, '[]', seconds));
    return ok('none was tried: the daemon is logged in, and is asked in place of that');
  }
  if (username && isTerminalThere()) return logIn(context);
  const what = username
    ? `no key and no password of ${username}'s is given (-K, --password-file, -P)`
    : 'nobody is given who logs in (-U, and -K, --password-file or -P)';
  return skipped(`none was tried: ${what}, and no daemon is logged in`, loginCommand(context));
}

/** What keeps a login that works, or another one in place of one that does not. */
function loginCommand({ args, target }: Context): string {
  const profile = args.profile === LOCAL ? null : args.profile;
  const host = target && target.socketPath === null ? new URL(target.url).hostname : 'nas';
  const name = profile ?? host.replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9.-]+/g, '');
  const { groups: group } =
    profile === null ? { groups: [] } : profileOf(readProfiles(profilesPath()), profile);
  // What has not let in is not given again.
  const proof = { password: null, passwordFile: null, apiKey: null };
  const uri = args.uri ?? target?.uri ?? null;
  const command = loginCommandOf({ ...args, ...proof, uri, group: [...group] }, name);
  return profile === null ? command : `midclt profile remove ${shellWord(profile)} && ${command}`;
}

async function logIn(context: Context): Promise<Found> {
  const { args } = context;
  const warnings: string[] = [];
  const patience = Math.max(context.patience, args.timeout ? 0 : LOGIN_PATIENCE);
  const clock = new Stopwatch(patience / 1000);
  const { target, credential, askOtp } = await toLoginTarget(args, (line) => warnings.push(line));
  const { connection } = compose({
    ...{ target, credential, concurrency: DEFAULT_CONCURRENCY, callTimeout: patience / 1000 },
    askOtp: (attempt) => clock.without(() => askOtp(attempt)),
    log: noLog,
  });
  const late: { isIt?: true } = {};
  clock.start(() => {
    late.isIt = true;
    connection.close();
  });
  try {
    await connection.open();
  } catch (error) {
    const later = laterCommand(context);
    if (late.isIt) return failed(`the login was not answered within ${patience / 1000} s`, later);
    // Where nobody was refused another login would cost a profile that works, and a key.
    return failedBy(error, isFinal(error) ? loginCommand(context) : later);
  } finally {
    clock.stop();
  }
  context.close = () => {
    connection.close();
  };
  context.call = (method) => connection.call(method, EMPTY_LIST, { timeout: context.patience });
  if (credential === null) return ok('none is needed here');
  const how = credential.kind === 'password' ? 'a password' : `the API key ${credential.key.id}`;
  const isScram = credential.kind === 'api-key' && credential.mechanism === 'SCRAM';
  const done = `${credential.username || 'the user'} is let in with ${how}; it counted as ${isScram ? 'two messages' : 'one'} of the 20 for logins that the server takes from an address in a minute`;
  const [first] = warnings;
  if (first === undefined) return ok(done);
  const file = args.apiKey ?? args.passwordFile ?? '';
  return warning(`${first.replace('Warning: ', '')}. ${done}`, `chmod 600 ${shellWord(file)}`);
}

/** What the server answers, as JSON has it; for what is to be shown or compared, not kept. */
async function ask({ call }: Context, method: string): Promise<unknown> {
  if (!call) return null;
  return JSON.parse((await call(method)).toString()) as unknown;
}

function member(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (of, name) => (typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined),
    value,
  );
}

/** What the server says to who is not logged in, or may not ask; a daemon passes on its text. */
const REFUSED = /^\[(?:ENOTAUTHENTICATED|EACCES|EPERM)\]/;

const NOBODY = 'nobody is logged in who could ask';

async function privileges(context: Context): Promise<Found> {
  if (!context.call) return skipped(NOBODY);
  let who: unknown;
  try {
    who = await ask(context, 'auth.me');
  } catch (error) {
    const { message, advice } = failedBy(error);
    const text = `the server does not say who is logged in: ${message}`;
    const remedy = REFUSED.test(message) ? loginCommand(context) : laterCommand(context);
    return failed(text, advice ?? remedy);
  }
  const named = member(who, 'pw_name');
  const name = typeof named === 'string' ? named : 'who is logged in';
  const set = member(who, 'privilege', 'roles', '$set') ?? member(who, 'privilege', 'roles');
  if (set === undefined) return ok(`${name}; this server says nothing of roles`);
  const roles = Array.isArray(set) ? set.map(String) : [];
  if (roles.includes('FULL_ADMIN')) return ok(`${name} is a full administrator (FULL_ADMIN)`);
  if (roles.includes('READONLY_ADMIN')) {
    const others = roles.filter((role) => role.endsWith('_WRITE')).length;
    const more = others === 0 ? 'change nothing' : `change what ${others} roles allow`;
    return ok(`${name} may read everything and ${more} (READONLY_ADMIN)`);
  }
  if (roles.length > 0)
    return ok(`${name} has ${roles.length} roles: ${roles.slice(0, 5).join(', ')}`);
  return warning(
    `${name} has no roles: the server refuses nearly every call; give it a privilege there`,
    loginCommand(context),
  );
}

async function version(context: Context): Promise<Found> {
  if (!context.call) return skipped(NOBODY);
  try {
    return ok(String(await ask(context, 'system.version')));
  } catch (error) {
    return warning(`the server does not say its version: ${publicText(error)}`, null);
  }
}

/** Seconds by which clocks may differ: one-time codes count in halves of a minute. */
const SKEW = 60;

async function clock(context: Context): Promise<Found> {
  if (context.target?.scheme === 'ws+unix') return skipped('it is the one of this machine');
  const difference =
    (await byHttp(context).catch(() => null)) ?? (await byCall(context).catch(() => null));
  if (difference === null) return skipped('the server does not tell the time');
  const seconds = Math.round(Math.abs(difference) / 1000);
  if (seconds <= SKEW)
    return ok(`the server's differs by ${seconds <= 1 ? 'a second at most' : `${seconds} s`}`);
  return warning(
    `the server's is ${spelt(seconds)} ${difference > 0 ? 'ahead of' : 'behind'} this machine's: one-time codes are refused, and certificates may be`,
    'sudo timedatectl set-ntp true',
  );
}

function spelt(seconds: number): string {
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3600)} h`
    : `${Math.round(seconds / 86_400)} days`;
}

/** Milliseconds by which the server's clock is ahead, as its web server tells; null: it does not. Nothing of the user's is sent. */
async function byHttp({ target, patience }: Context): Promise<number | null> {
  if (!target) return null;
  const isSecure = target.scheme === 'wss';
  const { request } = (
    isSecure ? require('node:https') : require('node:http')
  ) as typeof import('node:https');
  const started = Date.now();
  const asking = new Promise<string | null>((resolve, reject) => {
    const url = new URL('/', target.url.replace(/^ws/, 'http'));
    const asked = request(
      url,
      { method: 'HEAD', rejectUnauthorized: false, agent: false },
      (answer) => {
        resolve(answer.headers.date ?? null);
        answer.destroy();
      },
    );
    asked.setTimeout(patience, () => asked.destroy(new Error('no answer')));
    asked.on('error', reject);
    asked.end();
  });
  return behind(Date.parse((await within(patience, 'no answer', asking)) ?? ''), started, 500);
}

async function byCall(context: Context): Promise<number | null> {
  const started = Date.now();
  return behind(Number(member(await ask(context, 'system.info'), 'datetime', '$date')), started, 0);
}

/** The server told its time in the middle between the question and now, in whole seconds or not. */
function behind(told: number, started: number, rounding: number): number | null {
  return Number.isNaN(told) ? null : told + rounding - (started + Date.now()) / 2;
}
