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
