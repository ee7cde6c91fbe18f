/** What `-h` prints of the program itself. */
export const GLOBAL = `\
usage: midclt [OPTION ...] COMMAND [ARGUMENT ...]

The command-line client of TrueNAS's middleware. A daemon keeps one logged-in
connection open; with -d a call goes through it, and costs no login of its own.

Commands:
  call METHOD [ARG ...]     call a method and print its result
  ping                      ask whether the middleware answers
  methods [PATTERN]         the methods of the server, or those of a name
  describe METHOD           what a method takes and returns, with examples
  subscribe EVENT           print events as they come
  events [PATTERN]          the events of the server, up to TrueNAS 26
  job COMMAND               list jobs, show, wait for, follow or abort one
  download METHOD [ARG ...] save what a job writes, such as config.save
  upload METHOD [ARG ...]   give files to a job, such as filesystem.put
  types                     TypeScript's types of the server's methods
  daemon                    run a daemon in the foreground
  daemon-stop               end the daemon when it has finished its calls
  daemon-status             what the daemon is doing, and has done
  daemon-list               the daemons of this user
  daemon-log                print the daemon's log
  shell-init SHELL          a shell function for fast calls in loops
  login NAME                log in to a system, and keep it under a name
  profile COMMAND           the systems that have a name: add, list, show, …
  sandbox                   run a small simulated TrueNAS to try things on
  batch [FILE ...]          make the calls of a file, several at once
  'midclt COMMAND -h' tells more about each.

Which daemon and which middleware:
  -d, --use-daemon          send the call through the daemon; if there is none,
                            start it, if that needs no login or one is given
  --no-autostart            with -d: start none
  -p, --profile NAME        the system of this name; see 'midclt profile -h'
  -u, --uri URI             the middleware: wss://HOST/api/current, ws://… or
                            ws+unix:///PATH (default: the one of this machine)
  -U, --username NAME       the user to log in as (with -d the daemon did that)
  -P, --password PASSWORD   that user's password; given here, other users of
                            this machine can see it for the moment it takes the
                            program to start. '-': the first line of stdin
  --password-file FILE      that user's password is the first line of this file
                            (mode 0600); '-' is stdin
                            Without any of them, the terminal is asked.
  --otp CODE                that user's one-time code, for an account that wants
                            one (default: the terminal is asked)
  -K, --api-key KEY|FILE    log in with this API key of the user's, or with the
                            one in this file
  --insecure                wss: do not verify the server's certificate
  Each URI and user has a daemon of its own: give its commands the same -u and
  -U. The login is needed only by what starts it; with -d nothing is asked for,
  and no password is read while a daemon runs.

API keys:
  A key is NUMBER-LETTERS_AND_DIGITS. A key file (mode 0600) holds that; or JSON
  or INI with raw_key, or with api_key_id, client_key, stored_key, server_key;
  and with username, if -U is to be left out.
  A key is not sent: both sides prove that they know it (SCRAM), and over wss:
  that nobody stands between them (channel binding).
  --no-channel-binding      do without the latter; over ws: to other hosts it is
                            needed
  --plain                   send the key, to a TrueNAS before 26; over ws: to
                            other hosts it is refused: keys sent so are revoked
  --force                   with --plain: send it there, too

Several systems at once:
  -p NAME,NAME              these profiles; 'all' are all, '@GROUP' are those of
                            a group: for call, ping, batch, download and job.
                            Each is asked through a daemon of its own. Answers
                            come as they are there, a line of JSON each with
                            "profile" and "result" or "error"; on a terminal as
                            a table. Exit code 1 if any has failed
  --parallel N              so many systems at a time (default: 32)
  --sort                    answers in the order of the profiles

Other options:
  -t, --timeout SECONDS     how long a call may take, for a job: to be started;
                            0 means the default
  -h, --help                show this help
  --version                 show the version

  Options may be shortened as long as they stay unambiguous (--user). They may
  follow the command, and '--' ends them: midclt -d call METHOD -- -x

Examples:
  midclt call system.info                       on a TrueNAS, as root
  midclt daemon &
  midclt -d call system.info
  midclt -d call user.query '[["username", "=", "root"]]'
  midclt -d call -j pool.scrub 1                wait for a job, with progress

  midclt sandbox --unix /tmp/box.sock &         without a TrueNAS
  midclt -u ws+unix:///tmp/box.sock daemon &
  midclt -u ws+unix:///tmp/box.sock -d call system.info

Environment:
  MIDCLT_PROFILE            the default of --profile
  MIDCLT_URI                the default of --uri
  MIDCLT_USERNAME           the default of --username
  MIDCLT_PASSWORD           for --password, and MIDCLT_API_KEY for --api-key
                            (which wins): where none of -P, --password-file and
                            -K is given. An empty variable counts as none.
  MIDCLT_USE_DAEMON=1       -d for every command that can go through a daemon
  MIDCLT_AUTOSTART=0        --no-autostart
  MIDCLT_LAUNCHER=0         make no call without Node
  CALL_TIMEOUT              the default of --timeout in seconds; without it the
                            one the daemon was started with, else 60
  MIDCLT_HOME               the directory of the daemons' files, an absolute
                            path; daemon and clients need the same one
  HOME                      without MIDCLT_HOME they are in its .midclt; another
                            user's HOME is passed over for one's own

Exit codes:
  0  success
  1  the call, or what it needs, failed
  2  wrong usage, or something that is not supported yet
`;
