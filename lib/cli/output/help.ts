/** What `-h` prints. Loaded for that alone. */
import type { CommandName } from '../args/arguments.js';
import {
  DAEMON,
  DAEMON_LIST,
  DAEMON_LOG,
  DAEMON_STATUS,
  DAEMON_STOP,
  SANDBOX,
  SHELL_INIT,
} from './help-daemons.js';
import { DESCRIBE, describeLine, EVENTS, METHODS } from './help-find.js';
import { DOWNLOAD, JOB, JOB_HELP, UPLOAD } from './help-jobs.js';
import { GLOBAL } from './help-global.js';
import { LOGIN, PROFILE, PROFILE_HELP } from './help-profiles.js';
import { TYPES } from './help-types.js';

/**
 * The help of a subcommand, or of the program; with a newline at its end. `method` is one that help may have been
 * wanted about.
 */
export function helpText(command: string | null, method?: string): string {
  const text = textOf(command);
  return method === undefined ? text : `${text}\n${describeLine(method)}\n`;
}

function textOf(command: string | null): string {
  const texts: Readonly<Record<CommandName, string>> = {
    call: CALL,
    ping: PING,
    subscribe: SUBSCRIBE,
    daemon: DAEMON,
    'daemon-stop': DAEMON_STOP,
    'daemon-status': DAEMON_STATUS,
    'daemon-list': DAEMON_LIST,
    sandbox: SANDBOX,
    batch: BATCH,
    'daemon-log': DAEMON_LOG,
    'shell-init': SHELL_INIT,
    ...JOB_HELP,
    download: DOWNLOAD,
    upload: UPLOAD,
    methods: METHODS,
    describe: DESCRIBE,
    events: EVENTS,
    types: TYPES,
    login: LOGIN,
    ...PROFILE_HELP,
  };
  if (command === 'job') return JOB;
  if (command === 'profile') return PROFILE;
  const found = Object.entries(texts).find(([name]) => name === command);
  return found?.[1] ?? GLOBAL;
}

const CALL = `\
usage: midclt [OPTION ...] call [-q] [-j] [-jp HOW] [-o FORM] [--detach] METHOD
              [ARG ...]

Call a method of the middleware and print its result on stdout.

Arguments:
  METHOD                    such as system.info
  ARG                       JSON, else taken as a string: 70 is a number, abc
                            and '"70"' are strings. '-' is all of stdin, which
                            may be either

Options:
  -q, --quiet               print no errors; the exit code tells
  -j, --job                 the method is a job: wait for it, print its result,
                            and show its progress on stderr
  -jp, --job-print HOW      how to show it: progressbar (default), or
                            description: a line for each new description
  -o, --output FORM         print the result as
                            json      one line of strict JSON, whatever it is
                            jsonl     a line for each element of a list
                            pretty    JSON to read, in colours on a terminal
                            table, table=COLUMN,...
                                      a table of a list of objects
                            tsv=COLUMN,...
                                      the same for scripts: tabs, no titles
                            A column is a member, or a path: pool.status
  --detach                  with -j: print the job's id when the job has been
                            accepted, and do not wait for it
  --abort-on-interrupt      with -j: abort the job on Ctrl-C, and wait until it
                            has ended; without it the job goes on, and stderr
                            says what waits for it or ends it
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Output:
  Without -o a string is printed bare, a boolean as True or False, all else as
  the server's JSON.
  Errors go to stderr: the reason, the server's traceback, and what more it
  sent; for a validation error one line for each field.

Exit codes:
  0  success        1  the call failed        2  wrong usage

Examples:
  midclt call system.version
  midclt -d call pool.query '[["name", "=", "tank"]]' '{"get": true}'
  midclt -d call -j -jp description pool.scrub 1
  midclt -d call user.create - < user.json
  midclt -d -t 300 call system.info
`;

const PING = `\
usage: midclt [OPTION ...] ping

Ask the middleware whether it answers (with -d through the daemon); prints pong.

Options:
  -h, --help                show this help
  Those of 'midclt -h' may stand here too; -t is how long to wait.

Exit codes:
  0  it answered        1  it did not, or no daemon is running
`;

const SUBSCRIBE = `\
usage: midclt [OPTION ...] [-d] subscribe [-n N] [-t SECONDS] EVENT

Print each notification of an event as a line of JSON, as it comes. With -d the
daemon keeps one subscription for all who listen, and renews it when the
connection was lost; a line on stderr says that events were missed.

Arguments:
  EVENT                     such as core.get_jobs, '*' for all, or an event
                            source with its arguments:
                            'reporting.realtime:{"interval": 5}'

Options:
  -n, --number N            end after so many events
  -t, --timeout SECONDS     end after this time
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Exit codes:
  0  the events came, or the server ended them
  1  the time was up, or the server ended them with an error
  2  wrong usage

Example:
  midclt -d subscribe -n 1 core.get_jobs
`;

const BATCH = `\
usage: midclt [OPTION ...] [-d] batch [--parallel N] [--progress]
              [--failed FILE] [--unknown FILE] [--stop-on-error]
              [--resume-from N] [--no-status] [FILE ...]

Read requests, one JSON document a line, make them several at once, and print
each one's answer on a line of its own, in the order of the requests. A file of
any length will do, and so will an endless stdin.

Arguments:
  FILE                      the requests; '-' is stdin, as is no FILE at all

Options:
  --parallel N              how many requests may be under way at once, 1 to 64
                            (default 4); with 1 each waits for the one before it
  --progress                print the progress of jobs, too, before each answer
  --failed FILE             write the requests that failed or were not sent to
                            this file, each as it was read: to be run again
  --unknown FILE            write those to it that may have been run, without an
                            answer: a connection was lost, or the time was up
                            (default: the name of --failed with .unknown, made
                            when there is one). Look before you run them again.
  --stop-on-error           send nothing more after the first that fails, and
                            answer what is under way
  --resume-from N           begin with the Nth request: lines that are not blank
                            count, of all files together, from 1
  --no-status               no line that says how far it is. There is none where
                            stderr is no terminal, or stdout is one
  -t, --timeout SECONDS     for calls and pings that name no timeout themselves;
                            without -d also for connection and login
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

A request, with all it may have (docs/PROTOCOL.md tells more):
  {"command": "call", "method": "pool.scrub", "params": [1], "id": "any value",
   "kwargs": {"job": true, "timeout": 60}}
  {"command": "ping"}
  ["pool.scrub", 1]         a call in short: its method, then its arguments
  Blank lines are no requests. Where the order matters, use --parallel 1.

An answer, with the id of its request if that has one:
  {"type":"result","id":...,"result":...}
  {"type":"error","id":...,"error":...,"error_type":...,"trace":...,"extra":...}
  Every request has exactly one, also if the daemon goes away: the error says
  whether the request was not sent, or sent and its outcome is unknown.

Ctrl-C takes no further request. Those under way have an error as their answer,
and are of unknown outcome; a line on stderr says where it stood, with the
command that goes on from there. A second Ctrl-C ends it at once.

The files of --failed and --unknown are for their owner alone (0600). They are
written anew; with --resume-from N, N not 1, they are added to.

Exit codes:
  0  every request has a result
  1  one has an error, or a file or the output failed, or no daemon is running
  2  wrong usage, or something that is not supported yet

Examples:
  midclt -d batch requests.ndjson >answers.ndjson
  midclt -d batch --failed failed.ndjson requests.ndjson >answers.ndjson
  printf '%s\\n' '["user.query", [["username", "=", "root"]]]' | midclt -d batch
  midclt -u ws://nas/api/current -U admin -d batch --parallel 8 a.ndjson -
`;
