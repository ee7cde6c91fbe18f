/** The arguments of a command line as values; minimist makes them of the canonical words. */
import minimist from 'minimist';
import type { Level } from '../../logger.js';
import { shellOf, type CommandName, type Shell } from './grammar.js';

export interface Arguments {
  /** null: no subcommand was given. */
  name: CommandName | null;
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
  /** The method's name, then its arguments as typed. */
  method: string[];
  /** subscribe */
  event: string | null;
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
  detach: boolean;
  /** The pipe over which it is told what to be. */
  handoverFd: number | null;
  /** daemon-stop: those of every URI and user. */
  all: boolean;
  /** daemon-status, daemon-list, daemon-log */
  json: boolean;
  /** sandbox */
  unix: string | null;
  ws: number | null;
  wss: number | null;
  certificate: string | null;
  /** batch; `-` is stdin, as is none at all. */
  files: string[];
  parallel: number;
  progress: boolean;
  /** daemon-log */
  follow: boolean;
  /** shell-init */
  shell: Shell;
  lines: number;
}

/** What was found on a command line, each word checked. */
export interface Collected {
  /** Canonical names and values (null for a flag); the last occurrence wins. */
  readonly options: Map<string, string | null>;
  readonly positionals: string[];
  /** What nothing accepts, in order. */
  readonly unrecognized: string[];
}

export function collect(name: CommandName | null, { options, positionals }: Collected): Arguments {
  const words = [...options].map(
    ([key, value]) => `--${key}` + (value === null ? '' : `=${value}`),
  );
  const strings = [...options].filter(([, value]) => value !== null).map(([key]) => key);
  const values: Record<string, unknown> = minimist(words, { string: strings });

  const flag = (key: string): boolean => values[key] === true;
  const text = (key: string): string | null => {
    const value = values[key];
    return typeof value === 'string' ? value : null;
  };
  const number = (key: string): number | null => {
    const value = text(key);
    return value === null ? null : Number(value);
  };
  return {
    name,
    uri: text('uri'),
    username: text('username'),
    password: text('password'),
    passwordFile: text('password-file'),
    apiKey: text('api-key'),
    otp: text('otp'),
    timeout: number('timeout'),
    useDaemon: flag('use-daemon'),
    insecure: flag('insecure'),
    plain: flag('plain'),
    noChannelBinding: flag('channel-binding-off'),
    force: flag('force'),
    autostart: !flag('autostart-off'),
    quiet: flag('quiet'),
    job: flag('job'),
    jobPrint: text('job-print') === 'description' ? 'description' : 'progressbar',
    method: name === 'call' ? positionals : [],
    event: name === 'subscribe' ? (positionals[0] ?? null) : null,
    number: number('number'),
    lifetime: number('lifetime') ?? 600,
    logFile: text('log-file'),
    logLevel: (text('log-level') ?? 'info') as Level, // the grammar knows no others
    concurrency: number('concurrency') ?? 8,
    linger: number('linger') ?? 1,
    maxConnections: number('max-connections') ?? 1024,
    memory: number('memory') ?? 512,
    detach: flag('detach'),
    handoverFd: number('handover-fd'),
    all: flag('all'),
    json: flag('json'),
    unix: text('unix'),
    ws: number('ws'),
    wss: number('wss'),
    certificate: text('certificate'),
    files: name === 'batch' ? positionals : [],
    parallel: number('parallel') ?? 4,
    progress: flag('progress'),
    follow: flag('follow'),
    lines: number('lines') ?? 10,
    shell: name === 'shell-init' ? shellOf(positionals[0] ?? '') : 'sh',
  };
}
