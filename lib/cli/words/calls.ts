/** The words of `call`, `ping`, `subscribe` and `batch`. */
import { FORMATS } from '../args/values.js';
import { flag, takes, type ArgumentWords, type CommandWords, type OptionWords } from './word.js';

export const METHOD: ArgumentWords = {
  ...{ name: 'METHOD', kind: 'method' },
  is: 'such as system.info',
};

export const QUIET = flag('print no errors', '; the exit code tells');

export const JOB_PRINT: OptionWords = {
  ...takes('HOW', 'choice', "how to show the job's progress", ': {choices}'),
  choices: { description: 'a line for each new description' },
};

const FORM = { name: 'FORM', kind: 'format', choices: FORMATS } as const;

export const FORMAT: OptionWords = {
  value: FORM,
  is: 'print the result as',
  more: '',
  list: [
    ['json', 'one line of strict JSON, whatever it is'],
    ['jsonl', 'a line for each element of a list'],
    ['pretty', 'JSON to read, in colours on a terminal'],
    ['table, table=COLUMN,...', 'a table of a list of objects'],
    [
      'tsv=COLUMN,...',
      'the same for scripts: tabs, no titles. A column is a member, or a path: pool.status',
    ],
  ],
};

export const FORMAT_AS_CALL: OptionWords = {
  value: FORM,
  is: 'print the result in this form',
  more: ": {choices}, or tsv=COLUMN,...; 'midclt call -h' tells more",
};

export const CALL: CommandWords = {
  summary: 'call a method and print its result',
  reach: 'system',
  text: ['Call a method of the middleware and print its result on stdout.'],
  arguments: [
    METHOD,
    {
      ...{ name: 'ARG', kind: 'text' },
      is: "JSON, else taken as a string: 70 is a number, abc and '\"70\"' are strings. '-' is all of stdin, which may be either",
    },
  ],
  options: {
    quiet: QUIET,
    job: flag(
      'wait for the job that the method is',
      ', print its result, and show its progress on stderr',
    ),
    jobPrint: JOB_PRINT,
    format: FORMAT,
    detach: flag(
      "with -j: print the job's id and do not wait for it",
      '; it is printed when the job has been accepted',
    ),
    abortOnInterrupt: flag(
      'with -j: abort the job on Ctrl-C',
      ', and wait until it has ended; without it the job goes on, and stderr says what waits for it or ends it',
    ),
  },
  sections: [
    {
      title: 'Output',
      blocks: [
        "Without -o a string is printed bare, a boolean as True or False, all else as the server's JSON. Errors go to stderr: the reason, the server's traceback, and what more it sent; for a validation error one line for each field.",
      ],
    },
  ],
  exits: ['success', 'the call failed'],
  examples: [
    'midclt call system.version',
    'midclt -d call -o table=id,name,status pool.query',
    `midclt -d call pool.query '[["name", "=", "tank"]]' '{"get": true}'`,
    'midclt -d call -j -jp description pool.scrub 1',
    'midclt -d call user.create - < user.json',
    'midclt -d -t 300 call system.info',
  ],
  see: ['methods', 'describe', 'job', 'batch'],
};

export const PING: CommandWords = {
  summary: 'ask whether the middleware answers',
  reach: 'system',
  text: ['Ask the middleware whether it answers (with -d through the daemon); prints pong.'],
  timeout: 'how long to wait',
  exits: ['it answered', 'it did not, or no daemon is running'],
  examples: ['midclt ping', 'midclt -d ping'],
  see: ['daemon-status', 'call'],
};

export const SUBSCRIBE: CommandWords = {
  summary: 'print events as they come',
  reach: 'either',
  text: [
    'Print each notification of an event as a line of JSON, as it comes. With -d the daemon keeps one subscription for all who listen, and renews it when the connection was lost; a line on stderr says that events were missed.',
  ],
  arguments: [
    {
      ...{ name: 'EVENT', kind: 'event' },
      is: `such as core.get_jobs, '*' for all, or an event source with its arguments: 'reporting.realtime:{"interval": 5}'`,
    },
  ],
  options: {
    number: takes('N', 'number', 'end after so many events'),
    timeout: takes(
      'SECONDS',
      'seconds',
      'end after this time',
      '; 0: at once. It stands behind the command: before it, it does not count',
    ),
  },
  exits: [
    'the events came, or the server ended them',
    'the time was up, or the server ended them with an error',
  ],
  examples: ['midclt -d subscribe -n 1 core.get_jobs'],
  see: ['events', 'job follow'],
};

export const BATCH: CommandWords = {
  summary: 'make the calls of a file, several at once',
  reach: 'either',
  text: [
    "Read requests, one JSON document a line, make them several at once, and print each one's answer on a line of its own, in the order of the requests. A file of any length will do, and so will an endless stdin.",
  ],
  arguments: [
    {
      ...{ name: 'FILE', kind: 'file' },
      is: "the requests; '-' is stdin, as is no FILE at all",
    },
  ],
  options: {
    parallel: takes(
      'N',
      'number',
      'how many requests may be under way at once',
      ', 1 to 64 (default {default}); with 1 each waits for the one before it',
    ),
    progress: flag('print the progress of jobs, too', ', before each answer'),
    failed: takes(
      'FILE',
      'file',
      'write the requests that failed to this file',
      ', or were not sent, each as it was read: to be run again',
    ),
    unknown: takes(
      'FILE',
      'file',
      'write those that may have been run to this file',
      ', without an answer: a connection was lost, or the time was up (default: the name of --failed with .unknown, made when there is one). Look before you run them again',
    ),
    stopOnError: flag(
      'send nothing more after the first that fails',
      ', and answer what is under way',
    ),
    resumeFrom: takes(
      'N',
      'number',
      'begin with the Nth request',
      ': lines that are not blank count, of all files together, from {default}',
    ),
    status: flag(
      'show no line that says how far it is',
      '. There is none where stderr is no terminal, or stdout is one',
    ),
    timeout: takes(
      'SECONDS',
      'seconds',
      'for calls and pings that name no timeout themselves',
      '; without -d also for connection and login',
    ),
  },
  sections: [
    {
      title: 'A request, with all it may have (midclt-protocol(7) tells more)',
      blocks: [
        {
          lines: [
            '{"command": "call", "method": "pool.scrub", "params": [1],',
            ' "id": "any value", "kwargs": {"job": true, "timeout": 60}}',
            '{"command": "ping"}',
            '["pool.scrub", 1]        a call in short: method, then arguments',
          ],
        },
        'Each stands on one line. Blank lines are no requests. Where the order matters, use --parallel 1.',
      ],
    },
    {
      title: 'An answer, with the id of its request if that has one',
      blocks: [
        {
          lines: [
            '{"type":"result","id":...,"result":...}',
            '{"type":"error","id":...,"error":...,"error_type":...,"trace":...,',
            ' "extra":...}',
          ],
        },
        'Every request has exactly one, also if the daemon goes away: the error says whether the request was not sent, or sent and its outcome is unknown.',
        'Ctrl-C takes no further request. Those under way have an error as their answer, and are of unknown outcome; a line on stderr says where it stood, with the command that goes on from there. A second Ctrl-C ends it at once. When the reader of stdout goes away it ends likewise, and says so where --failed, --unknown, --resume-from or --stop-on-error is given.',
        'The files of --failed and --unknown are for their owner alone (0600). They are written anew; with --resume-from N, N not 1, they are added to. A line that is too long for a request is in neither: stderr says which.',
      ],
    },
  ],
  exits: [
    'every request has a result',
    'one has an error, or a file or the output failed, or no daemon is running',
    'wrong usage, or something that is not supported yet',
  ],
  examples: [
    'midclt -d batch requests.ndjson >answers.ndjson',
    'midclt -d batch --failed failed.ndjson requests.ndjson >answers.ndjson',
    `printf '%s\\n' '["user.query", [["username", "=", "root"]]]' | midclt -d batch`,
    'midclt -u wss://nas/api/current -U admin -d batch --parallel 8 a.ndjson -',
  ],
  see: ['call', 'daemon'],
};
