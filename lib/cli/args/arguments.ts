/** The arguments of a command line as values, and what the environment and each other make of them. */
import type { Level } from '../../logger.js';
import {
  DEFAULT_CONCURRENCY,
  DEFAULT_LIFETIME,
  DEFAULT_LINGER,
  DEFAULT_MAX_CONNECTIONS,
  DEFAULT_MEMORY,
  MAX_FILES,
} from '../../protocol/frames.js';
import { API_KEY, AUTOSTART, PASSWORD, URI, USERNAME, USE_DAEMON } from '../../login/variables.js';

export type CommandName =
  | 'call'
  | 'ping'
  | 'subscribe'
  | 'daemon'
  | 'daemon-stop'
  | 'daemon-status'
  | 'daemon-list'
  | 'sandbox'
  | 'batch'
  | 'daemon-log'
  | 'shell-init'
  | JobCommand
  | 'download'
  | 'upload'
  | 'methods'
  | 'describe'
  | 'events'
  | 'types';

/** The commands of the group `job`. */
export type JobCommand =
  'job list' | 'job show' | 'job wait' | 'job follow' | 'job abort' | 'job log';

export const SHELLS = ['bash', 'zsh', 'sh'] as const;

/** What options set. */
export interface Options {
  uri: string | null;
  username: string | null;
  /** `-` is stdin, as it is for `passwordFile`. */
  password: string | null;
  passwordFile: string | null;
  apiKey: string | null;
  otp: string | null;
  /** Whole seconds, not negative; 0 means the default. */
  timeout: number | null;
  useDaemon: boolean;
  insecure: boolean;
  plain: boolean;
  noChannelBinding: boolean;
  /** Send a key where the middleware will revoke it. */
  force: boolean;
  /** With -d and no daemon: start one. */
  autostart: boolean;
  /** call */
  quiet: boolean;
  job: boolean;
  jobPrint: 'progressbar' | 'description';
  /** Print a job's id, and do not wait for it; daemon: run it in the background. */
  detach: boolean;
  /** Of a job that is waited for: SIGINT aborts it. */
  abortOnInterrupt: boolean;
  /** subscribe */
  number: number | null;
  /** daemon; seconds, 0 (and, as in the original, less) means for ever. */
  lifetime: number;
  logFile: string | null;
  logLevel: Level;
  concurrency: number;
  /** Seconds, fractions allowed. */
  linger: number;
  maxConnections: number;
  /** Mebibytes. */
  memory: number;
  /** The pipe over which it is told what to be. */
  handoverFd: number | null;
  /** daemon-stop: those of every URI and user. */
  all: boolean;
  /** daemon-status, daemon-list, daemon-log, job, methods, describe, events */
  json: boolean;
  /** job list: null is any; a job's state, in capitals. */
  state: string | null;
  /** job list: those of who is logged in. */
  mine: boolean;
  /**
   * download, job log, types: a file, a directory, or `-` for stdout; null is a file of the name that the server says, of
   * `types` stdout.
   */
  output: string | null;
  /** download: let the server keep what the job writes, and fetch it when the job has ended. */
  buffered: boolean;
  /** upload; `-` is stdin. */
  file: string[];
  /** sandbox */
  unix: string | null;
  ws: number | null;
  wss: number | null;
  certificate: string | null;
  /** batch */
  parallel: number;
  progress: boolean;
  stopOnError: boolean;
  /** Files for the requests that failed, and for those whose outcome is unknown. */
  failed: string | null;
  unknown: string | null;
  /** The number of the first request that is made, from 1. */
  resumeFrom: number;
  /** The line that says how far it is. */
  status: boolean;
  /** daemon-log */
  follow: boolean;
  lines: number;
  /** methods, describe: ask the server anew. */
  refresh: boolean;
  /** types: integers of results may be BigInt. */
  bigint: boolean;
}

export interface Arguments extends Options {
  /** null: no subcommand was given. */
  name: CommandName | null;
  /** call, download, upload, describe: the method's name, then its arguments as typed. */
  method: string[];
  /** job show, wait, follow, abort, log */
  jobId: number;
  /** subscribe */
  event: string | null;
  /** batch; `-` is stdin, as is none at all. */
  files: string[];
  /** shell-init */
  shell: (typeof SHELLS)[number];
  /** methods, events */
  pattern: string | null;
}

/** What holds for an option that is not given. */
export const DEFAULTS: Options = {
  uri: null,
  username: null,
  password: null,
  passwordFile: null,
  apiKey: null,
  otp: null,
  timeout: null,
  useDaemon: false,
  insecure: false,
  plain: false,
  noChannelBinding: false,
  force: false,
  autostart: true,
  quiet: false,
  job: false,
  jobPrint: 'progressbar',
  detach: false,
  abortOnInterrupt: false,
  number: null,
  lifetime: DEFAULT_LIFETIME,
  logFile: null,
  logLevel: 'info',
  concurrency: DEFAULT_CONCURRENCY,
  linger: DEFAULT_LINGER,
  maxConnections: DEFAULT_MAX_CONNECTIONS,
  memory: DEFAULT_MEMORY,
  handoverFd: null,
  all: false,
  json: false,
  state: null,
  mine: false,
  output: null,
  buffered: false,
  file: [],
  unix: null,
  ws: null,
  wss: null,
  certificate: null,
  parallel: 4,
  progress: false,
  stopOnError: false,
  failed: null,
  unknown: null,
  resumeFrom: 1,
  status: true,
  follow: false,
  lines: 10,
  refresh: false,
  bigint: false,
};

/** What holds where there are no words at all. */
export const NO_COMMAND: Arguments = {
  ...DEFAULTS,
  ...{ name: null, method: [], jobId: 0, event: null, files: [], shell: 'sh', pattern: null },
};

/** The commands that can go through a daemon or do without one. */
const EITHER_WAY = new Set<Arguments['name']>([
  ...(['call', 'ping', 'subscribe', 'batch', 'download', 'upload'] as const),
  ...(['job list', 'job show', 'job wait', 'job follow', 'job abort', 'job log'] as const),
  ...(['methods', 'describe', 'events', 'types'] as const),
]);

/**
 * The arguments, with environment variables where options are not given; an empty variable is none.
 * An option that proves who one is, whichever, replaces both variables that would. `-P -` becomes
 * the file `-`.
 */
export function withEnvironment(args: Arguments, env: NodeJS.ProcessEnv): Arguments {
  const variable = (name: string): string | null => env[name] || null;
  const { name, uri, username, password, passwordFile, apiKey, useDaemon, autostart } = args;
  const hasProof = password !== null || passwordFile !== null || apiKey !== null;
  const isStdin = password === STDIN; // of the option alone; a variable means what it says
  return {
    ...args,
    uri: uri ?? variable(URI),
    username: username ?? variable(USERNAME),
    password: isStdin ? null : hasProof ? password : variable(PASSWORD),
    passwordFile: isStdin ? STDIN : passwordFile,
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

const STDIN = '-';

/** What is wrong with options that make no sense together, for a line about the usage; or null. */
export function conflictOf(args: Arguments): string | null {
  const { password, passwordFile, apiKey, useDaemon } = args;
  if (password !== null && passwordFile !== null) {
    return 'argument --password-file: not allowed with argument -P/--password';
  }
  if (args.detach && args.logFile === STDIN) {
    return "argument --log-file: a daemon in the background has no stderr ('-')";
  }
  const { name, file } = args;
  if (name === 'upload' && file.length === 0) {
    return 'the following arguments are required: --file';
  }
  if (file.length > MAX_FILES) return `argument --file: ${MAX_FILES} at most: ${file.length}`;
  if (file.filter((each) => each === STDIN).length > 1) {
    return "argument --file: stdin can't be read twice ('-')";
  }
  if (file.includes(STDIN) && args.method.slice(1).includes(STDIN)) {
    return "argument --file: stdin can't be read for a file ('-') and for an argument ('-')";
  }
  if (args.name === 'call') {
    const option = args.detach ? '--detach' : '--abort-on-interrupt';
    const isOfJobs = args.detach || args.abortOnInterrupt;
    if (isOfJobs && !args.job) return `argument ${option}: only allowed with argument -j/--job`;
    if (args.detach && args.abortOnInterrupt) {
      return 'argument --abort-on-interrupt: not allowed with argument --detach';
    }
  }
  // Through a daemon no password is read, nor beside a key.
  if (useDaemon || apiKey !== null) return null;
  const option = password === STDIN ? '-P/--password' : '--password-file';
  const other = password === STDIN || passwordFile === STDIN ? otherReader(args) : null;
  if (other === null) return null;
  return `argument ${option}: stdin can't be read for the password ('-') and for ${other}`;
}

/** What else stdin is to be read for. */
function otherReader({ name, method, files, file }: Arguments): string | null {
  if (name !== 'batch' && method.slice(1).includes(STDIN)) return "an argument ('-')";
  if (file.includes(STDIN)) return "a file ('-')";
  if (name === 'batch' && (files.length === 0 || files.includes(STDIN))) return 'the requests';
  return null;
}
