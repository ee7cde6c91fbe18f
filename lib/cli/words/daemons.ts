/** The words of the daemon and of the commands beside it. */
import { DAEMON_DIRECTORY, DAEMON_FILES } from './surroundings.js';
import { flag, takes, type CommandWords, type Term } from './word.js';

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
    'midclt -u wss://nas/api/current -U admin --password-file ~/.nas-pw daemon &',
    'midclt -u ws://nas/api/current -U admin -d call system.info',
    'midclt -u wss://nas/api/current -U admin -K ~/.nas-key daemon &',
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
