/** What `-h` prints for `daemon`, the commands beside it, and `sandbox`. */

export const DAEMON = `\
usage: midclt [-u URI] [-U NAME] [-P PASSWORD | -K KEY|FILE] daemon [OPTION ...]

Connect to the middleware, log in, and take calls ('midclt -d call ...') until
nobody has made one for a while. Runs in the foreground; says so on stdout once
calls are accepted.

Options:
  --lifetime SECONDS        end after so long without a call; 0 is never
                            (default 600)
  --detach                  run in the background; returns when calls are
                            accepted, or with the reason why not
  --log-file PATH           where to log; '-' is stderr (default: a file in
                            logs, see below)
  --log-level LEVEL         the least that is logged: debug (each call), info
                            (default), warning or error; never parameters
  --concurrency N           how many calls may be under way at once (default 8,
                            at most 18); with 1 each waits for the one before
                            it, jobs too
  --linger SECONDS          close a client's connection this long after its last
                            answer, fractions allowed (default 1)
  --max-connections N       refuse clients beyond so many at once (default 1024)
  --memory MIB              how much memory requests that wait and results that
                            nobody has read may take (default 512)
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

  SIGTERM, SIGINT and 'midclt daemon-stop' end it when the calls under way are
  done, a second signal at once. So does closing its terminal, unless it was
  started by nohup. When its socket is removed it ends, too, with exit code 1.
  A socket that systemd passes (LISTEN_FDS) is served in place of its own.

Files, in ~/.midclt or $MIDCLT_HOME (only for their owner):
  daemon-local.sock, daemon-ID.sock    what clients connect to
  daemon-local.pid, daemon-ID.pid      the daemon's process id
  logs/daemon-local.log and so on      the log, one JSON object a line; one
                                       of 10 MB becomes .log.1, up to .log.3

Exit codes:
  0  ended as it was asked to
  1  could not start, or was refused by the middleware or lost its socket later
  2  wrong usage, or something that is not supported yet

Examples:
  midclt daemon --lifetime 0
  midclt -u wss://nas/api/current -U admin --password-file ~/.nas-pw daemon &
  midclt -u ws://nas/api/current -U admin -d call system.info
  midclt -u wss://nas/api/current -U admin -K ~/.nas-key daemon &
  pass show nas | midclt -u wss://nas/api/current -U admin -P - daemon
`;

export const DAEMON_STOP = `\
usage: midclt [-u URI] [-U NAME] daemon-stop [--all]

Tell the daemon of this URI and user to finish the calls under way and end, and
wait until it is gone.

Options:
  --all                     the daemons of every URI and user
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Exit codes:
  0  it has ended       1  no daemon is running, or it does not answer
`;

export const DAEMON_STATUS = `\
usage: midclt [-u URI] [-U NAME] daemon-status [--json | --prometheus]

Ask the daemon of this URI and user what it is doing: it answers at once,
whatever the middleware does.

Options:
  --json                    as JSON, times in ISO 8601, seconds, milliseconds
                            ("latency") and bytes ("memory")
  --prometheus              as metrics in Prometheus' text format, for the
                            textfile collector of node_exporter; also of a
                            daemon that does not answer: midclt_daemon_up is 0
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Exit codes:
  0  it runs and answers    1  no daemon is running, or it does not answer
`;

export const DAEMON_LIST = `\
usage: midclt daemon-list [--json | --prometheus]

List the daemons of this user, also those that do not answer.

Options:
  --json                    a JSON object a line; "status" is what
                            'daemon-status --json' prints
  --prometheus              as metrics in Prometheus' text format; the exit code
                            is 0, also when there are none
  -h, --help                show this help
`;

export const DAEMON_LOG = `\
usage: midclt [-u URI] [-U NAME] daemon-log [-f] [-n N] [--json]

Print the last events that the daemon of this URI and user has logged, one a
line: time, level, event, and what there is to know about it as name=value.

Options:
  -f, --follow              go on as events come, until interrupted; also when
                            the log is renamed or another daemon starts
  -n, --lines N             how many to begin with (default 10)
  --json                    print them as they are in the log: JSON objects
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Exit codes:
  0  printed        1  there is no log        2  wrong usage

Example:
  midclt daemon-log -n 1000 --json | jq 'select(.level == "error")'
`;

export const SHELL_INIT = `\
usage: midclt shell-init bash|zsh|sh

Print a shell function 'midclt', to be evaluated in scripts that make many
calls: it makes '-d call' and '-d ping' itself, with nc or socat, in a tenth of
the time this program takes to start. Everything else it leaves to the program:
other commands and options (jobs, for one), arguments that begin with '-' or
have other characters than printable ASCII, and calls without a daemon. What is
printed, and the exit code, are the same.

Options:
  -h, --help                show this help

Exit codes:
  0  printed        1  there is neither nc (that of OpenBSD) nor socat
  2  wrong usage

Example:
  eval "$(midclt shell-init sh)"
  for user in alice bob; do
    midclt -d call user.get_user_obj '{"username": "'$user'"}'
  done
`;

export const SANDBOX = `\
usage: midclt sandbox [--unix PATH] [--ws PORT]
                      [--wss PORT [--certificate FILE]]

Run a small simulated TrueNAS until SIGTERM or SIGINT, to try midclt on or to
test scripts with. It has a handful of methods and is no TrueNAS. It serves
/api/current and /websocket. Its first line on stdout tells how to reach it;
with --ws or --wss, the users and API keys follow.

Options:
  --unix PATH               listen on a Unix socket; no login needed
                            (default, without --ws and --wss: one in the
                            directory for temporary files)
  --ws PORT                 listen on a port of 127.0.0.1, 0 for any free one;
                            log in as admin with the password admin-pw, or
                            with one of the API keys it prints
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
