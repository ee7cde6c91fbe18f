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
