/** The words of the daemon and of the commands beside it. */
import type { ServiceCommand } from '../args/arguments.js';
import { DAEMON_DIRECTORY, DAEMON_FILES } from './surroundings.js';
import { flag, takes, type CommandWords, type GroupWords, type Term } from './word.js';

const NOT_THERE = 'no daemon is running, or it does not answer';

const EITHER_FORM = '[--json | --prometheus]';

export const DAEMON: CommandWords = {
  summary: 'run a daemon in the foreground',
  reach: 'daemon',
  before: '[-u URI] [-U NAME] [-P PASSWORD | -K KEY|FILE]',
  usage: '[OPTION ...]',
  text: [
    "Connect to the middleware, log in, and take calls ('midclt -d call ...') until nobody has made one for a while. Runs in the foreground; says so on stdout once calls are accepted.",
  ],
  options: {
    lifetime: takes(
      'SECONDS',
      'seconds',
      'end after so long without a call',
      '; 0 is never (default {default})',
    ),
    detach: flag(
      'run in the background',
      '; returns when calls are accepted, or with the reason why not',
    ),
    logFile: takes(
      'PATH',
      'file',
      'where to log',
      "; '-' is stderr (default: a file in logs, see below)",
    ),
    logLevel: {
      ...takes('LEVEL', 'choice', 'the least that is logged', ': {choices}; never parameters'),
      choices: { debug: 'each call' },
    },
    concurrency: takes(
      'N',
      'number',
      'how many calls may be under way at once',
      ' (default {default}, at most 18); with 1 each waits for the one before it, jobs too',
    ),
    linger: takes(
      'SECONDS',
      'seconds',
      "close a client's connection this long after its last answer",
      ', fractions allowed (default {default})',
    ),
    maxConnections: takes(
      'N',
      'number',
      'refuse clients beyond so many at once',
      ' (default {default})',
    ),
    memory: takes(
      'MIB',
      'number',
      'how much memory requests and results may take',
      ': those that wait, and those that nobody has read (default {default})',
    ),
  },
  notes: [
    "SIGTERM, SIGINT and 'midclt daemon-stop' end it when the calls under way are done, a second signal at once. So does closing its terminal, unless it was started by nohup. When its socket is removed it ends, too, with exit code 1. A socket that systemd passes (LISTEN_FDS) is served in place of its own.",
  ],
  sections: [{ title: DAEMON_DIRECTORY, blocks: [{ terms: DAEMON_FILES }] }],
  exits: [
    'ended as it was asked to',
    'could not start, or was refused by the middleware or lost its socket later',
    'wrong usage, or something that is not supported yet',
  ],
  examples: [
    'midclt daemon --lifetime 0',
    'midclt -u wss://nas/api/current -U admin --password-file ~/.pw daemon --detach',
    'midclt -u wss://nas/api/current -U admin -d call system.info',
    'midclt -u wss://nas/api/current -U admin -K ~/.nas-key daemon --detach',
    'pass show nas | midclt -u wss://nas/api/current -U admin -P - daemon',
  ],
  see: ['daemon-status', 'daemon-log', 'daemon-stop', 'call'],
};

/** What its manual tells of signals besides. */
export const SIGNALS: readonly Term[] = [
  [
    'SIGTERM, SIGINT',
    "finish the calls under way, take no others, and end, as 'midclt daemon-stop' asks for; a second one: end at once",
  ],
  [
    'SIGHUP',
    'the same to a daemon that has a terminal and was not started by nohup; to any other nothing',
  ],
  ['SIGUSR1', 'nothing'],
];

export const DAEMON_STOP: CommandWords = {
  summary: 'end the daemon when it has finished its calls',
  reach: 'daemon',
  text: [
    'Tell the daemon of this URI and user to finish the calls under way and end, and wait until it is gone.',
  ],
  options: { all: flag('end the daemons of every URI and user') },
  exits: ['it has ended', NOT_THERE],
  examples: ['midclt daemon-stop', 'midclt daemon-stop --all'],
  see: ['daemon-list', 'daemon'],
};

export const DAEMON_STATUS: CommandWords = {
  summary: 'what the daemon is doing, and has done',
  reach: 'daemon',
  text: [
    'Ask the daemon of this URI and user what it is doing: it answers at once, whatever the middleware does.',
  ],
  usage: EITHER_FORM,
  options: {
    json: flag(
      'print it as JSON',
      ', times in ISO 8601, seconds, milliseconds ("latency") and bytes ("memory")',
    ),
    prometheus: flag(
      "print metrics in Prometheus' text format",
      ', for the textfile collector of node_exporter; also of a daemon that does not answer: midclt_daemon_up is 0',
    ),
  },
  exits: ['it runs and answers', NOT_THERE],
  examples: ['midclt daemon-status', 'midclt daemon-status --json | jq .calls.in_flight'],
  see: ['daemon-log', 'daemon-list'],
};

export const DAEMON_LIST: CommandWords = {
  summary: 'the daemons of this user',
  reach: 'none',
  text: ['List the daemons of this user, also those that do not answer.'],
  usage: EITHER_FORM,
  options: {
    json: flag('print a JSON object a line', `; "status" is what 'daemon-status --json' prints`),
    prometheus: flag(
      "print metrics in Prometheus' text format",
      '; the exit code is 0, also when there are none',
    ),
  },
  exits: ['listed', 'the directory could not be read'],
  examples: ['midclt daemon-list'],
  see: ['daemon-status', 'daemon-stop'],
};

export const DAEMON_LOG: CommandWords = {
  summary: "print the daemon's log",
  reach: 'daemon',
  text: [
    'Print the last events that the daemon of this URI and user has logged, one a line: time, level, event, and what there is to know about it as name=value.',
  ],
  options: {
    follow: flag(
      'go on as events come',
      ', until interrupted; also when the log is renamed or another daemon starts',
    ),
    lines: takes('N', 'number', 'how many to begin with', ' (default {default})'),
    json: flag('print them as they are in the log', ': JSON objects'),
  },
  exits: ['printed', 'there is no log'],
  examples: [
    'midclt daemon-log -f',
    `midclt daemon-log -n 1000 --json | jq 'select(.level == "error")'`,
  ],
  see: ['daemon-status', 'daemon'],
};

const SERVICE_REACH = { reach: 'none', before: '[-p NAME]' } as const;

export const SERVICE: GroupWords = {
  summary: 'let systemd start the daemon: install, remove, …',
  reach: 'none',
  text: [
    'Let systemd start the daemon at the first call, and again after it was idle.',
    "With -p NAME it is the daemon of that system; without it that of the default one, or else of the middleware of this machine ('-p local').",
  ],
  see: ['service install', 'login', 'daemon'],
};

export const SERVICE_WORDS: Readonly<Record<ServiceCommand, CommandWords>> = {
  'service install': {
    summary: 'let systemd start the daemon at the first call',
    ...SERVICE_REACH,
    text: [
      'Write ~/.config/systemd/user/midclt@NAME.socket and .service ($XDG_CONFIG_HOME is heeded; midclt.socket and .service for the middleware of this machine), and enable the socket: from then on the first call starts the daemon. They name this very Node and this very program; once these have moved, run it again.',
      'The login is that of the profile; nobody can be asked for a password, so it needs one with an API key or a password file. systemd keeps it while you are logged in; after loginctl enable-linger, always.',
    ],
    options: { print: flag('show the units, and change nothing') },
    exits: ['enabled', 'there is no systemd for this user'],
    examples: ['midclt -p nas1 service install'],
    see: ['service status', 'service remove', 'login'],
  },
  'service remove': {
    summary: 'stop the daemon, and take its units away',
    ...SERVICE_REACH,
    text: [
      "Stop the daemon when it has finished its calls, disable its socket, and remove the units that 'midclt service install' wrote.",
    ],
    exits: ['removed', 'there was none'],
    examples: ['midclt -p nas1 service remove'],
    see: ['service install', 'daemon-stop'],
  },
  'service status': {
    summary: 'tell what systemd says of the daemon',
    ...SERVICE_REACH,
    text: [
      'Tell whether the socket is enabled and listens, whether the daemon runs, and whether the Node and the program that the units name are still there.',
    ],
    exits: ['the socket listens', "it does not, or can't start the daemon"],
    examples: ['midclt -p nas1 service status'],
    see: ['service install', 'daemon-status'],
  },
};
