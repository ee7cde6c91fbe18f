/** Environment variables in place of options. Part of the daemon path: it decides which daemon. */
import { API_KEY, AUTOSTART, PASSWORD, URI, USERNAME, USE_DAEMON } from '../../login/variables.js';
import type { Arguments } from './arguments.js';

/** The commands that can go through a daemon or do without one. */
const EITHER_WAY = new Set<Arguments['name']>(['call', 'ping', 'batch']);

/**
 * The arguments, with variables where options are not given; an empty variable is none. An option
 * that proves who one is, whichever, replaces both variables that would. `-P -` becomes the file `-`.
 */
export function withEnvironment(args: Arguments, env: NodeJS.ProcessEnv): Arguments {
  const variable = (name: string): string | null => env[name] || null;
  const { name, uri, username, password, passwordFile, apiKey, useDaemon, autostart } = args;
  const hasProof = password !== null || passwordFile !== null || apiKey !== null;
  const isStdin = password === '-'; // of the option alone; a variable means what it says
  return {
    ...args,
    uri: uri ?? variable(URI),
    username: username ?? variable(USERNAME),
    password: isStdin ? null : hasProof ? password : variable(PASSWORD),
    passwordFile: isStdin ? '-' : passwordFile,
    apiKey: hasProof ? apiKey : variable(API_KEY),
    useDaemon: useDaemon || (EITHER_WAY.has(name) && isOn(variable(USE_DAEMON))),
    autostart: autostart && !isOff(variable(AUTOSTART)),
  };
}

function isOn(value: string | null): boolean {
  return value !== null && !isOff(value);
}

function isOff(value: string | null): boolean {
  return value !== null && /^(?:0|no|false|off)$/i.test(value);
}
