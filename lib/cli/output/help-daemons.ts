/** What the commands beside `daemon` print for `-h`. */

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
usage: midclt [-u URI] [-U NAME] daemon-status [--json]

Ask the daemon of this URI and user what it is doing: it answers at once,
whatever the middleware does.

Options:
  --json                    as JSON, times in ISO 8601, seconds, milliseconds
                            ("latency") and bytes ("memory")
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Exit codes:
  0  it runs and answers    1  no daemon is running, or it does not answer
`;

export const DAEMON_LIST = `\
usage: midclt daemon-list [--json]

List the daemons of this user, also those that do not answer.

Options:
  --json                    a JSON object a line; "status" is what
                            'daemon-status --json' prints
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
