/**
 * The words of the command line, as data: commands, their options, and how an option's text becomes
 * its canonical value. The rules by which words are found in an argv are in `argv.ts`.
 */

import { COMPLETING, SHELLS, type CommandName } from './arguments.js';
import { GROUP, JOB_COMMANDS, PROFILE_COMMANDS, SERVICE_COMMANDS } from './groups.js';
import {
  ABORT,
  FORMAT,
  HELP,
  JOB_PRINT,
  JSON_OUTPUT,
  OUTPUT,
  own,
  QUIET,
  type Command,
  type Option,
} from './options.js';
import { between, count, fileName, fingerprint, fraction, int, ordinal } from './values.js';

const seconds = count;
const port = (value: string): string => between(0, 65535, value);
/** The server admits 20 calls a connection; two are kept for pings. */
const slots = (value: string): string => between(1, 18, value);
const connections = (value: string): string => between(1, 64, value);
const systems = (value: string): string => between(1, 1000, value);
const clients = (value: string): string => between(1, 1_000_000, value);
/** Mebibytes; the least is room for one large request and its answer. */
const mebibytes = (value: string): string => between(32, 1_000_000, value);

const LEVELS = ['debug', 'info', 'warning', 'error'];

const PROMETHEUS: Option = own('prometheus', '--prometheus', 'boolean');

const REFRESH: Option = own('refresh', '--refresh', 'boolean');
const BIGINT: Option = own('bigint', '--bigint', 'boolean');

const PATTERN = { positional: null, optional: 'pattern', most: 1 };

const FIND_COMMANDS: readonly (readonly [CommandName, Command])[] = [
  ['methods', { options: [HELP, JSON_OUTPUT, REFRESH], ...PATTERN }],
  ['describe', { options: [HELP, JSON_OUTPUT, REFRESH], positional: 'method', most: 1 }],
  ['events', { options: [HELP, JSON_OUTPUT], ...PATTERN }],
  ['types', { options: [HELP, OUTPUT, BIGINT], positional: null, most: 0 }],
];

/** Accepted before the subcommand, and after it where the subcommand has no such option itself. */
export const GLOBAL: Command = {
  options: [
    HELP,
    { key: 'profile', names: ['-p', '--profile'], type: 'string', added: true },
    { key: 'uri', names: ['-u', '--uri'], type: 'string' },
    { key: 'username', names: ['-U', '--username'], type: 'string' },
    { key: 'password', names: ['-P', '--password'], type: 'string', secret: true },
    { key: 'apiKey', names: ['-K', '--api-key'], type: 'string', secret: true },
    own('passwordFile', '--password-file', 'string'),
    { key: 'otp', names: ['--otp'], type: 'string', secret: true, added: true },
    { key: 'timeout', names: ['-t', '--timeout'], type: 'number', read: seconds },
    { key: 'useDaemon', names: ['-d', '--use-daemon'], type: 'boolean' },
    { key: 'insecure', names: ['--insecure'], type: 'boolean' },
    own('caFile', '--ca-file', 'string', fileName),
    { key: 'plain', names: ['--plain'], type: 'boolean' },
    { key: 'noChannelBinding', names: ['--no-channel-binding'], type: 'boolean' },
    own('force', '--force', 'boolean'),
    { key: 'autostart', names: ['--no-autostart'], type: 'boolean', negates: true, added: true },
    own('systems', '--parallel', 'number', systems),
    own('sort', '--sort', 'boolean'),
    own('version', '--version', 'boolean'),
  ],
  positional: null,
  most: 0,
};

/** In the order in which "invalid choice" lists them. */
export const COMMANDS: ReadonlyMap<CommandName, Command> = new Map<CommandName, Command>([
  [
    'call',
    {
      options: [
        HELP,
        QUIET,
        { key: 'job', names: ['-j', '--job'], type: 'boolean' },
        JOB_PRINT,
        FORMAT,
        own('detach', '--detach', 'boolean'),
        ABORT,
      ],
      positional: 'method',
      most: Infinity,
    },
  ],
  ['ping', { options: [HELP], positional: null, most: 0 }],
  [
    'subscribe',
    {
      options: [
        HELP,
        { key: 'number', names: ['-n', '--number'], type: 'number', read: int },
        { key: 'timeout', names: ['-t', '--timeout'], type: 'number', read: seconds },
      ],
      positional: 'event',
      most: 1,
    },
  ],
  [
    'daemon',
    {
      options: [
        HELP,
        { key: 'lifetime', names: ['--lifetime'], type: 'number', read: int },
        { key: 'logFile', names: ['--log-file'], type: 'string' },
        { ...own('logLevel', '--log-level', 'string'), choices: LEVELS },
        own('concurrency', '--concurrency', 'number', slots),
        own('linger', '--linger', 'number', fraction),
        own('maxConnections', '--max-connections', 'number', clients),
        own('memory', '--memory', 'number', mebibytes),
        own('detach', '--detach', 'boolean'),
        // This program's own: a daemon that it starts in the background.
        { ...own('handoverFd', '--handover-fd', 'number', int), hidden: true },
      ],
      positional: null,
      most: 0,
    },
  ],
  ['daemon-stop', { options: [HELP, own('all', '--all', 'boolean')], positional: null, most: 0 }],
  ['daemon-status', { options: [HELP, JSON_OUTPUT, PROMETHEUS], positional: null, most: 0 }],
  ['daemon-list', { options: [HELP, JSON_OUTPUT, PROMETHEUS], positional: null, most: 0 }],
  [
    'sandbox',
    {
      options: [
        HELP,
        own('unix', '--unix', 'string'),
        own('ws', '--ws', 'number', port),
        own('wss', '--wss', 'number', port),
        own('certificate', '--certificate', 'string'),
      ],
      positional: null,
      most: 0,
    },
  ],
  [
    'batch',
    {
      options: [
        HELP,
        own('parallel', '--parallel', 'number', connections),
        own('progress', '--progress', 'boolean'),
        own('stopOnError', '--stop-on-error', 'boolean'),
        own('failed', '--failed', 'string', fileName),
        own('unknown', '--unknown', 'string', fileName),
        own('resumeFrom', '--resume-from', 'number', ordinal),
        { ...own('status', '--no-status', 'boolean'), negates: true },
      ],
      positional: null, // none is needed
      optional: 'file ...',
      most: Infinity,
    },
  ],
  [
    'daemon-log',
    {
      options: [
        HELP,
        { key: 'follow', names: ['-f', '--follow'], type: 'boolean', added: true },
        { key: 'lines', names: ['-n', '--lines'], type: 'number', read: count, added: true },
        JSON_OUTPUT,
      ],
      positional: null,
      most: 0,
    },
  ],
  ['shell-init', { options: [HELP], positional: 'shell', most: 1, choices: SHELLS }],
  ...JOB_COMMANDS,
  [
    'download',
    {
      options: [HELP, OUTPUT, QUIET, own('buffered', '--buffered', 'boolean')],
      positional: 'method',
      most: Infinity,
    },
  ],
  [
    'upload',
    {
      options: [
        HELP,
        { key: 'file', names: ['--file'], type: 'string', repeats: true, added: true },
        QUIET,
        JOB_PRINT,
      ],
      positional: 'method',
      most: Infinity,
    },
  ],
  ...FIND_COMMANDS,
  ['login', { options: [HELP, GROUP], positional: 'name', most: 1 }],
  [
    'trust',
    {
      options: [
        HELP,
        own('fingerprint', '--fingerprint', 'string', fingerprint),
        own('list', '--list', 'boolean'),
        own('remove', '--remove', 'boolean'),
      ],
      ...{ positional: null, optional: 'host', most: 1 },
    },
  ],
  ...PROFILE_COMMANDS,
  ...SERVICE_COMMANDS,
  ['doctor', { options: [HELP, JSON_OUTPUT], positional: null, most: 0 }],
  ['help', { options: [HELP], positional: null, optional: 'topic ...', most: 2 }],
  ['version', { options: [HELP], positional: null, most: 0 }],
  ['completion', { options: [HELP], positional: 'shell', most: 1, choices: COMPLETING }],
]);

/** What begins the names of several commands, and is none itself. */
const GROUPS: ReadonlyMap<string, Command> = new Map([
  group('job', JOB_COMMANDS),
  group('profile', PROFILE_COMMANDS),
  group('service', SERVICE_COMMANDS),
]);

function group(name: string, commands: ReadonlyMap<string, Command>): [string, Command] {
  const words = [...commands.keys()].map((each) => each.slice(name.length + 1));
  return [name, { options: [HELP], positional: 'command', most: 0, commands: words }];
}

/** The words that may stand behind the global options. */
const FIRST_WORDS = [...new Set([...COMMANDS.keys()].map((name) => name.split(' ', 1)[0] ?? ''))];

/** The command of this name, or the group; null is the program itself. */
export function commandOf(name: string | null): Command {
  if (name === null) return { ...GLOBAL, commands: FIRST_WORDS };
  return COMMANDS.get(name as CommandName) ?? GROUPS.get(name) ?? GLOBAL;
}
