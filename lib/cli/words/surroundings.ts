/** The words of the program as a whole, and of what is around it: variables, files, exit codes. */
import { DEFAULT_CALL_TIMEOUT } from '../../protocol/frames.js';
import type { Example, Section, Term } from './word.js';

export const ABOUT =
  "The command-line client of TrueNAS's middleware. A daemon keeps one logged-in connection open; with -d a call goes through it, and costs no login of its own.";

/** The variables of the environment that are for users. */
export const VARIABLES: readonly Term[] = [
  ['MIDCLT_PROFILE', 'the default of --profile'],
  ['MIDCLT_URI', 'the default of --uri'],
  ['MIDCLT_USERNAME', 'the default of --username'],
  ['MIDCLT_CA_FILE', 'the default of --ca-file'],
  [
    'MIDCLT_PASSWORD',
    'stands for --password where none of -P, --password-file and -K is given. An empty variable counts as none',
  ],
  ['MIDCLT_API_KEY', 'stands for --api-key in the same way, and wins over MIDCLT_PASSWORD'],
  ['MIDCLT_USE_DAEMON', '1: -d for every command that can go through a daemon'],
  ['MIDCLT_AUTOSTART', '0: --no-autostart'],
  ['MIDCLT_LAUNCHER', '0: make no call without Node'],
  [
    'CALL_TIMEOUT',
    `the default of --timeout in seconds; without it the one the daemon was started with, else ${DEFAULT_CALL_TIMEOUT}`,
  ],
  [
    'MIDCLT_HOME',
    "the directory of the daemons' files, an absolute path; daemon and clients need the same one",
  ],
  [
    'HOME',
    "without MIDCLT_HOME they are in its .midclt; another user's HOME is passed over for one's own",
  ],
  ['XDG_CONFIG_HOME', 'profiles and trusted certificates are in its midclt (default: ~/.config)'],
  [
    'NODE_EXTRA_CA_CERTS',
    'a file (PEM) with certificates that wss: trusts, besides those that Node knows; it counts for what connects: the daemon, and calls without one',
  ],
  ['NO_COLOR', 'unless it is empty: no colours'],
  ['TERM', 'dumb: no progress is drawn in place'],
  ['COLUMNS', 'how wide the usage is that stands before an error in it'],
  ['MIDCLT_DEBUG', '1: an error also says where in the program it came from'],
];

/** What others set for a process of this program, or it sets itself; no help names them. */
export const INTERNAL_VARIABLES: readonly string[] = [
  ...['MIDCLT_EXTRA_CA_CERTS', 'MIDCLT_NOHUP'],
  ...['LISTEN_FDS', 'LISTEN_PID', 'SYSTEMD_EXEC_PID', 'INVOCATION_ID'],
  ...['NODE_OPTIONS', 'PATH', 'LC_ALL', 'LC_CTYPE', 'LANG'],
];

/** Of a daemon; in its directory. */
export const DAEMON_FILES: readonly Term[] = [
  ['daemon-local.sock, daemon-ID.sock', 'what clients connect to'],
  ['daemon-local.pid, daemon-ID.pid', "the daemon's process id"],
  [
    'logs/daemon-local.log and so on',
    'the log, one JSON object a line; one of 10 MB becomes .log.1, up to .log.3',
  ],
  [
    'daemon-local.crash, daemon-ID.crash',
    'that the last daemon ended of a bug, for who starts the next one, or looks how it is',
  ],
  [
    'daemon-ID.methods, daemon-ID.events',
    'what the server has said of its methods and events, for a day',
  ],
  ['daemon-names', 'which ID is whose, for shells'],
];

export const DAEMON_DIRECTORY = 'Files, in ~/.midclt or $MIDCLT_HOME (only for their owner)';

export const FILES: readonly Section[] = [
  { title: DAEMON_DIRECTORY, blocks: [{ terms: DAEMON_FILES }] },
  {
    title: 'Files, in ~/.config/midclt or $XDG_CONFIG_HOME/midclt',
    blocks: [
      {
        terms: [
          ['profiles.toml', "systems under names, mode 0600; see 'midclt help profiles'"],
          [
            'trusted',
            "certificates that 'midclt trust HOST' has pinned, a line each: HOST[:PORT] sha256:FINGERPRINT",
          ],
          ['keys/NAME', "an API key that 'midclt login NAME' keeps for that profile"],
        ],
      },
    ],
  },
];

export const EXIT_CODES: readonly Term[] = [
  ['0', 'success'],
  ['1', 'the call, or what it needs, failed'],
  ['2', 'wrong usage, or something that is not supported yet'],
  ['70', 'a mistake of midclt itself; please report it'],
];

/** Of the program as a whole. */
export const EXAMPLES: readonly Example[] = [
  { note: 'On a TrueNAS, as root', command: 'midclt call system.info' },
  {
    note: 'Through a daemon, which the first call starts',
    command: [
      'midclt -d call system.info',
      `midclt -d call user.query '[["username", "=", "root"]]'`,
    ].join('\n'),
  },
  { note: 'Wait for a job, with its progress', command: 'midclt -d call -j pool.scrub 1' },
  {
    note: "Another machine's, under a name",
    command: 'midclt login nas1\nmidclt -p nas1 call system.info',
  },
  {
    note: 'Without a TrueNAS',
    command: [
      'midclt sandbox --unix /tmp/box.sock &',
      'midclt -u ws+unix:///tmp/box.sock daemon --detach',
      'midclt -u ws+unix:///tmp/box.sock -d call system.info',
    ].join('\n'),
  },
];
