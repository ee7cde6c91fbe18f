/** What `-h` prints of jobs, and of the files that they read and write. */
import type { JobCommand } from '../args/arguments.js';

export const JOB = `\
usage: midclt [OPTION ...] [-d] job COMMAND [ID]

The jobs of the middleware: what runs there longer than a call.

Commands:
  list                      the jobs that the server knows, the newest first
  show ID                   all that is known of one
  wait ID                   wait for its end, and print its result
  follow ID                 the same, and show its progress on stderr
  abort ID                  end it
  log ID                    print what it has logged
  'midclt job COMMAND -h' tells more about each.
`;

/** Of each command of the group. */
export const JOB_HELP: Readonly<Record<JobCommand, string>> = {
  'job list': `\
usage: midclt [OPTION ...] [-d] job list [--state STATE] [--mine] [--json]

List the jobs that the server knows and shows to this user, the newest first.

Options:
  --state STATE             only those in this state: waiting, running, success,
                            failed or aborted
  --mine                    only those of the user who is logged in; the server
                            forgets whose a job is when the connection closes
                            that started it
  --json                    print them as one JSON document, without arguments
                            and results
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Exit codes:
  0  listed        1  the call failed        2  wrong usage
`,
  'job show': `\
usage: midclt [OPTION ...] [-d] job show [--json] ID

Show what the server knows of a job.

Options:
  --json                    print it as the server's own JSON
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Exit codes:
  0  shown        1  there is no such job, or the call failed
  2  wrong usage
`,
  'job wait': `\
usage: midclt [OPTION ...] [-d] job wait [--abort-on-interrupt] ID

Wait for a job's end, and print its result as 'call -j' does. Ctrl-C ends the
waiting alone, and says how to go on.

Options:
  -o, --output FORM         print the result as json, jsonl, pretty, table or
                            tsv=COLUMN,...; 'midclt call -h' tells more
  --abort-on-interrupt      abort the job on Ctrl-C, and wait until it has
                            ended; a second time leaves it alone
  -h, --help                show this help
  Those of 'midclt -h' may stand here too; -t is how long to wait.

Exit codes:
  0  the job succeeded        1  it failed or was aborted
  2  wrong usage
`,
  'job follow': `\
usage: midclt [OPTION ...] [-d] job follow [-jp HOW] [--abort-on-interrupt] ID

Wait for a job's end with its progress on stderr, and print its result. Ctrl-C
ends the waiting alone, and says how to go on.

Options:
  -o, --output FORM         print the result as json, jsonl, pretty, table or
                            tsv=COLUMN,...; 'midclt call -h' tells more
  -jp, --job-print HOW      how to show it: progressbar (default), or
                            description: a line for each new description
  --abort-on-interrupt      abort the job on Ctrl-C, and wait until it has
                            ended; a second time leaves it alone
  -h, --help                show this help
  Those of 'midclt -h' may stand here too; -t is how long to wait.

Exit codes:
  0  the job succeeded        1  it failed or was aborted
  2  wrong usage
`,
  'job abort': `\
usage: midclt [OPTION ...] [-d] job abort ID

Abort a job, and wait until it has ended. Nothing is printed then.

Options:
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Exit codes:
  0  it is aborted        1  it is not, or had ended before
  2  wrong usage
`,
  'job log': `\
usage: midclt [OPTION ...] [-d] job log [-o FILE] ID

Print what a job has logged.

Options:
  -o, --output FILE         into this file; '-', the default, is stdout
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Exit codes:
  0  printed        1  there is no log, or it could not be had
  2  wrong usage
`,
};

export const DOWNLOAD = `\
usage: midclt [OPTION ...] [-d] download [-o FILE] METHOD [ARG ...]

Start a job that writes a file, and save what it writes. The file appears under
its name when it is whole, readable by its owner alone.

Arguments:
  METHOD                    such as config.save or filesystem.get
  ARG                       as for 'call'

Options:
  -o, --output FILE         where to: a file, a directory, or '-' for stdout.
                            Without it the server names the file, which is made
                            in the current directory; its name is printed
  --buffered                the server keeps what the job writes until it has
                            ended: for a job that writes nothing for minutes
  -q, --quiet               no progress
  -h, --help                show this help
  Those of 'midclt -h' may stand here too; -t is how long the start may take.

Exit codes:
  0  the file is whole, and the job succeeded
  1  it is not, or the job failed: a file of that name is as it was
  2  wrong usage

Examples:
  midclt -d download config.save -o /backup/nas.db
  midclt -d download filesystem.get /mnt/tank/notes.txt -o - | less
`;

export const UPLOAD = `\
usage: midclt [OPTION ...] [-d] upload --file FILE METHOD [ARG ...]

Start a job that reads files, send them, wait for it and print its result.

Arguments:
  METHOD                    such as filesystem.put or config.upload
  ARG                       as for 'call'

Options:
  --file FILE               a file to send, five at most; '-' is stdin
  -jp, --job-print HOW      how to show the job's progress: progressbar, or
                            description: a line for each new description
  -q, --quiet               no progress
  -h, --help                show this help
  Those of 'midclt -h' may stand here too; -t is how long a call may take that
  the transfer needs.

Exit codes:
  0  the job has read the files, and succeeded
  1  it has not, or failed        2  wrong usage

Examples:
  midclt -d upload filesystem.put /mnt/tank/notes.txt --file notes.txt
  tar c . | midclt -d upload filesystem.put /mnt/tank/all.tar --file -
`;
