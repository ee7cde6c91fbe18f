/** What `-h` prints. Loaded for that alone. */
import type { CommandName } from './grammar.js';

/** The help of a subcommand, or of the program; with a newline at its end. */
export function helpText(command: string | null): string {
  const texts: Readonly<Record<CommandName, string>> = {
    call: CALL,
    ping: PING,
    subscribe: SUBSCRIBE,
    daemon: DAEMON,
    'daemon-stop': DAEMON_STOP,
    sandbox: SANDBOX,
  };
  const found = Object.entries(texts).find(([name]) => name === command);
  return found?.[1] ?? GLOBAL;
}

const GLOBAL = `\
usage: midclt [OPTION ...] COMMAND [ARGUMENT ...]

The command-line client of TrueNAS's middleware. A daemon keeps one logged-in
connection open, and every call goes through it.

Commands:
  call METHOD [ARG ...]     call a method and print its result
  ping                      ask whether the middleware answers
  daemon                    run a daemon in the foreground
  daemon-stop               end the daemon when it has finished its calls
  sandbox                   run a small simulated TrueNAS to try things on
  'midclt COMMAND -h' tells more about each.

Which daemon and which middleware:
  -d, --use-daemon          send the call through the daemon
  -u, --uri URI             the middleware: ws://HOST/api/current or
                            ws+unix:///PATH (default: the one of this machine)
  -U, --username NAME       the user to log in as (the daemon does that)
  -P, --password PASSWORD   that user's password; given here, other users of
                            this machine can see it while the program runs
  Each URI and user has a daemon of its own. Give 'daemon', 'call', 'ping' and
  'daemon-stop' the same -u and -U, and -P to 'daemon' alone.

Other options:
  -t, --timeout SECONDS     how long a call may take, for a job: to be started;
                            0 means the default
  -h, --help                show this help
  --version                 show the version

  Options may be shortened as long as they stay unambiguous (--user). They may
  follow the command, and '--' ends them: midclt -d call METHOD -- -x

Examples:
  midclt daemon &                               on a TrueNAS, as root
  midclt -d call system.info
  midclt -d call user.query '[["username", "=", "root"]]'
  midclt -d call -j pool.scrub 1                wait for a job, with progress

  midclt sandbox --unix /tmp/box.sock &         without a TrueNAS
  midclt -u ws+unix:///tmp/box.sock daemon &
  midclt -u ws+unix:///tmp/box.sock -d call system.info

Environment:
  CALL_TIMEOUT              the default of --timeout in seconds; without it the
                            one the daemon was started with, else 60
  HOME                      holds the daemons' files, in .midclt

Exit codes:
  0  success
  1  the call, or what it needs, failed
  2  wrong usage, or something that is not supported yet

Not supported yet:
  calls and pings without -d; subscribe; -K, --api-key KEY; wss:// URIs, and
  with them --insecure, --plain and --no-channel-binding, which have no effect;
  URIs that end in /websocket; asking for the password (-U without -P)
`;

const CALL = `\
usage: midclt [OPTION ...] -d call [-q] [-j] [-jp HOW] METHOD [ARG ...]

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
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Output:
  A string is printed bare, a boolean as True or False, all else as JSON.
  Errors go to stderr: the reason, the server's traceback, and what more it
  sent; for a validation error one line for each field.

Exit codes:
  0  success        1  the call failed        2  wrong usage

Examples:
  midclt -d call system.version
  midclt -d call pool.query '[["name", "=", "tank"]]' '{"get": true}'
  midclt -d call -j -jp description pool.scrub 1
  midclt -d call user.create - < user.json
  midclt -d -t 300 call system.info

Not supported yet:
  calls without -d
`;

const PING = `\
usage: midclt [OPTION ...] -d ping

Ask the middleware, through the daemon, whether it answers; prints 'pong'.

Options:
  -h, --help                show this help
  Those of 'midclt -h' may stand here too; -t is how long to wait.

Exit codes:
  0  it answered        1  it did not, or no daemon is running

Not supported yet:
  pings without -d
`;

const SUBSCRIBE = `\
usage: midclt [OPTION ...] subscribe EVENT

Not supported yet: print the events of one kind as they come. For now the
command is understood, and answered with an error and exit code 2.

Options:
  -n, --number N            end after so many events
  -t, --timeout SECONDS     end after this time
  -h, --help                show this help
`;

const DAEMON = `\
usage: midclt [-u URI] [-U NAME -P PASSWORD] daemon [OPTION ...]

Connect to the middleware, log in, and take calls ('midclt -d call ...') until
nobody has made one for a while. Runs in the foreground; says so on stdout once
calls are accepted.

Options:
  --lifetime SECONDS        end after so long without a call; 0 is never
                            (default 600)
  --log-file PATH           where to log; '-' is stderr (default: a file in
                            ~/.midclt/logs)
  --concurrency N           how many calls may be under way at once (default 8);
                            with 1 each waits for the one before it, jobs too
  --linger SECONDS          close a client's connection this long after its last
                            answer, fractions allowed (default 1)
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

  SIGTERM, SIGINT and 'midclt daemon-stop' end it when the calls under way are
  done, a second signal at once.

Files, in ~/.midclt (only for their owner):
  daemon-local.sock, daemon-ID.sock    what clients connect to
  daemon-local.pid, daemon-ID.pid      the daemon's process id
  logs/daemon-local.log and so on      the log, one JSON object a line

Exit codes:
  0  ended as it was asked to
  1  could not start, or lost the middleware
  2  wrong usage, or something that is not supported yet

Examples:
  midclt daemon --lifetime 0
  midclt -u ws://nas/api/current -U admin -P secret daemon &
  midclt -u ws://nas/api/current -U admin -d call system.info

Not supported yet:
  -K, --api-key KEY; wss:// URIs; URIs that end in /websocket; asking for the
  password (-U without -P)
`;

const DAEMON_STOP = `\
usage: midclt [-u URI] [-U NAME] daemon-stop

Tell the daemon of this URI and user to finish the calls under way and end.

Options:
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Exit codes:
  0  it ends        1  no daemon is running
`;

const SANDBOX = `\
usage: midclt sandbox [--unix PATH] [--ws PORT]
                      [--wss PORT [--certificate FILE]]

Run a small simulated TrueNAS until SIGTERM or SIGINT, to try midclt on or to
test scripts with. It has a handful of methods and is no TrueNAS. Its first line
on stdout tells how to reach it.

Options:
  --unix PATH               listen on a Unix socket; no login needed
                            (default, without --ws and --wss: one in the
                            directory for temporary files)
  --ws PORT                 listen on a port of 127.0.0.1, 0 for any free one;
                            log in as admin with the password admin-pw
  --wss PORT                the same with TLS, and a new self-signed certificate
                            for localhost and this machine's name
  --certificate FILE        write that certificate to FILE (PEM); a midclt that
                            has NODE_EXTRA_CA_CERTS=FILE in its environment
                            trusts it
  -h, --help                show this help

Exit codes:
  0  ended by a signal
  1  could not listen, or not write FILE
  2  wrong usage

Examples:
  midclt sandbox --unix /tmp/box.sock &
  midclt -u ws+unix:///tmp/box.sock daemon &
  midclt -u ws+unix:///tmp/box.sock -d call system.info
  midclt -u ws+unix:///tmp/box.sock -d call -j test.job 5
  midclt -u ws+unix:///tmp/box.sock daemon-stop
  midclt sandbox --wss 4433 --certificate /tmp/box.pem &
`;
