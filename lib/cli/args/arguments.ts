/** The arguments of a command line as values, and what the environment and each other make of them. */
import type { Level } from '../../logger.js';
import {
  DEFAULT_CONCURRENCY,
  DEFAULT_LIFETIME,
  DEFAULT_LINGER,
  DEFAULT_MAX_CONNECTIONS,
  DEFAULT_MEMORY,
} from '../../protocol/frames.js';

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
  | 'completion'
  | JobCommand
  | ProfileCommand
  | ServiceCommand
  | 'login'
  | 'trust'
  | 'download'
  | 'upload'
  | 'methods'
  | 'describe'
  | 'events'
  | 'types'
  | 'doctor'
  | 'help'
  | 'version';

/** The commands of the group `job`. */
export type JobCommand =
  'job list' | 'job show' | 'job wait' | 'job follow' | 'job abort' | 'job log';

/** The commands of the group `profile`. */
export type ProfileCommand =
  'profile add' | 'profile list' | 'profile show' | 'profile remove' | 'profile default';

/** The commands of the group `service`. */
export type ServiceCommand = 'service install' | 'service remove' | 'service status';

export const SHELLS = ['bash', 'zsh', 'sh'] as const;
/** Those that complete command lines. */
export const COMPLETING = ['bash', 'zsh', 'fish'] as const;

/** What options set. */
export interface Options {
  /** As typed: a name, or what stands for several. */
  profile: string | null;
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
  /** Authorities that are trusted, too. */
  caFile: string | null;
  plain: boolean;
  noChannelBinding: boolean;
  /** Send a key where the middleware will revoke it. */
  force: boolean;
  /** With -d and no daemon: start one. */
  autostart: boolean;
  /** Of several systems: how many are asked at once, and whether their answers keep the order of the profiles. */
  systems: number | null;
  sort: boolean;
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
  /** daemon-status, daemon-list, daemon-log, job, methods, describe, events, doctor */
  json: boolean;
  /** daemon-status, daemon-list */
  prometheus: boolean;
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
  /** call, job wait, job follow: how the result is printed, as {@link format} in `values.ts` takes it; null is as the original does. */
  format: string | null;
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
  /** profile add */
  group: string[];
  check: boolean;
  /** profile list: as an inventory for Ansible. */
  ansible: boolean;
  /** profile default: there is to be none. */
  none: boolean;
  /** trust: SHA-256, as Node writes it. */
  fingerprint: string | null;
  list: boolean;
  remove: boolean;
  /** service install: show it alone. */
  print: boolean;
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
  /** shell-init, completion */
  shell: (typeof SHELLS | typeof COMPLETING)[number];
  /** methods, events */
  pattern: string | null;
  /** help: a command, of one word or two, or a topic. */
  topic: string[];
  /** login, profile add, show, remove, default */
  profileName: string | null;
  /** The profile's name where it is one of several systems: nobody is asked for its login then. */
  system: string | null;
  /** The words that reach the same system in the same way where a profile and options beside it say which; else null. */
  profileWords: readonly string[] | null;
}

/** Systems that are asked at once, where nothing else is said. To wait for one costs next to nothing. */
export const DEFAULT_SYSTEMS = 32;

/** What holds for an option that is not given. */
export const DEFAULTS: Options = {
  profile: null,
  uri: null,
  username: null,
  password: null,
  passwordFile: null,
  apiKey: null,
  otp: null,
  timeout: null,
  useDaemon: false,
  insecure: false,
  caFile: null,
  plain: false,
  noChannelBinding: false,
  force: false,
  autostart: true,
  systems: null,
  sort: false,
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
  prometheus: false,
  state: null,
  mine: false,
  output: null,
  buffered: false,
  format: null,
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
  group: [],
  check: true,
  ansible: false,
  none: false,
  fingerprint: null,
  list: false,
  remove: false,
  print: false,
};

/** What holds where there are no words at all. */
export const NO_COMMAND: Arguments = {
  ...DEFAULTS,
  ...{ name: null, method: [], jobId: 0, event: null, files: [], shell: 'sh', pattern: null },
  ...{ profileName: null, system: null, profileWords: null, topic: [] },
};
