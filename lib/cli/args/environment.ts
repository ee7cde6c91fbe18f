/** What the environment and a profile say where options do not. */
import { existsSync } from 'node:fs';
import { addressOf } from '../../files/address.js';
import { profilesPath } from '../../files/paths.js';
import {
  API_KEY,
  AUTOSTART,
  CA_FILE,
  PASSWORD,
  PROFILE,
  URI,
  USERNAME,
  USE_DAEMON,
} from '../../login/variables.js';
import type { Profile } from '../../profiles/profile.js';
import type { Arguments } from './arguments.js';

const STDIN = '-';

/** The commands that can go through a daemon or do without one. */
const EITHER_WAY = new Set<Arguments['name']>([
  ...(['call', 'ping', 'subscribe', 'batch', 'download', 'upload'] as const),
  ...(['job list', 'job show', 'job wait', 'job follow', 'job abort', 'job log'] as const),
  ...(['methods', 'describe', 'events', 'types'] as const),
]);

/** The commands that ask no system anything. */
const WITHOUT_SYSTEM = new Set<Arguments['name']>([
  ...([
    null,
    'sandbox',
    'shell-init',
    'completion',
    'daemon-list',
    'login',
    'help',
    'version',
  ] as const),
  ...([
    'profile add',
    'profile list',
    'profile show',
    'profile remove',
    'profile default',
  ] as const),
]);

/** What a profile says of where to connect to, and of how to log in. */
export type System = Omit<Profile, 'uri' | 'groups'> & { readonly uri: string | null };

/**
 * What says which profile: `-p`, else (without `-u`) the variable, else (without the one of the URI) the file's
 * default, which is the empty text. Null: there is none.
 */
export function profileChoice(args: Arguments, env: NodeJS.ProcessEnv): string | null {
  const { name, profile, uri, handoverFd } = args;
  if (WITHOUT_SYSTEM.has(name) || handoverFd !== null || args.all) return null;
  if (profile) return profile;
  if (uri !== null) return null;
  if (env[PROFILE]) return env[PROFILE];
  // A socket that is passed on was bound for a system that this process can't know.
  if (env[URI] || env.LISTEN_FDS) return null;
  try {
    return existsSync(profilesPath(env)) ? '' : null;
  } catch {
    return null; // there is no home, where one could be
  }
}

/**
 * The arguments, with what the profile says where options are not given, and then what environment variables say; an
 * empty variable is none. Beside a profile the variables of the URI and of the user don't count. An option that proves
 * who one is, whichever, replaces what else would; so does a profile's. `-P -` becomes the file `-`.
 */
export function withEnvironment(
  args: Arguments,
  env: NodeJS.ProcessEnv,
  system: System | null = null,
): Arguments {
  return withVariables(system ? withSystem(args, system) : args, env, system !== null);
}

function withSystem(args: Arguments, system: System): Arguments {
  const { uri, username, password, passwordFile, apiKey } = args;
  const hasProof = password !== null || passwordFile !== null || apiKey !== null;
  // What proves another user is not this one's.
  const isOther = username !== null && username !== system.username;
  const isProven = hasProof || isOther;
  const isSafer = system.insecure || !args.insecure;
  const beside = [
    ...(uri === null ? [] : ['-u', uri]),
    ...(isOther ? ['-U', username] : []),
    ...(isSafer ? [] : ['--insecure']),
    ...(args.caFile === null ? [] : ['--ca-file', args.caFile]),
    ...(args.plain && !system.plain ? ['--plain'] : []),
    ...(args.noChannelBinding && !system.noChannelBinding ? ['--no-channel-binding'] : []),
  ];
  const isWhole = beside.length === 0;
  return {
    ...args,
    profile: isWhole ? system.name : null,
    profileWords: isWhole ? null : ['-p', system.name, ...beside],
    uri: uri ?? system.uri,
    username: username ?? system.username,
    apiKey: isProven ? apiKey : system.apiKeyFile,
    passwordFile: isProven ? passwordFile : system.passwordFile,
    insecure: args.insecure || system.insecure,
    caFile: args.caFile ?? system.caFile,
    plain: args.plain || system.plain,
    noChannelBinding: args.noChannelBinding || system.noChannelBinding,
  };
}

function withVariables(args: Arguments, env: NodeJS.ProcessEnv, hasSystem: boolean): Arguments {
  const variable = (name: string): string | null => env[name] || null;
  const own = (name: string) => (hasSystem ? null : variable(name));
  const { name, uri, username, password, passwordFile, apiKey, useDaemon, autostart } = args;
  const hasProof = password !== null || passwordFile !== null || apiKey !== null;
  const address = uri ?? own(URI);
  const isStdin = password === STDIN; // of the option alone; a variable means what it says
  return {
    ...args,
    uri: address && addressOf(address),
    username: username ?? own(USERNAME),
    password: isStdin ? null : hasProof ? password : variable(PASSWORD),
    passwordFile: isStdin ? STDIN : passwordFile,
    caFile: args.caFile ?? variable(CA_FILE),
    apiKey: hasProof ? apiKey : variable(API_KEY),
    useDaemon: useDaemon || (EITHER_WAY.has(name) && isOn(variable(USE_DAEMON))),
    autostart: autostart && !isOff(variable(AUTOSTART)),
  };
}

function isOn(value: string | null): boolean {
  return value !== null && !isOff(value);
}

export function isOff(value: string | null): boolean {
  return value !== null && /^(?:0|no|false|off)$/i.test(value);
}
