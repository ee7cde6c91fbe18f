/** Environment variables in place of options. Part of the daemon path: it decides which daemon. */
import type { Arguments } from './arguments.js';

const URI = 'MIDCLT_URI';
const USERNAME = 'MIDCLT_USERNAME';
const PASSWORD = 'MIDCLT_PASSWORD';
const API_KEY = 'MIDCLT_API_KEY';

/** What no child process may inherit: nothing wipes a variable from `/proc/PID/environ`. */
export const SECRET_VARIABLES: readonly string[] = [PASSWORD, API_KEY];

/**
 * The arguments, with variables where options are not given; an empty variable is none. An option
 * that proves who one is, whichever, replaces both variables that would. `-P -` becomes the file `-`.
 */
export function withEnvironment(args: Arguments, env: NodeJS.ProcessEnv): Arguments {
  const variable = (name: string): string | null => env[name] || null;
  const { uri, username, password, passwordFile, apiKey } = args;
  const hasProof = password !== null || passwordFile !== null || apiKey !== null;
  const isStdin = password === '-'; // of the option alone; a variable means what it says
  return {
    ...args,
    uri: uri ?? variable(URI),
    username: username ?? variable(USERNAME),
    password: isStdin ? null : hasProof ? password : variable(PASSWORD),
    passwordFile: isStdin ? '-' : passwordFile,
    apiKey: hasProof ? apiKey : variable(API_KEY),
  };
}
