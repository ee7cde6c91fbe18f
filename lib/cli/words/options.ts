/** The words of the options that stand before every command, in groups. */
import { DEFAULT_SYSTEMS } from '../args/arguments.js';
import type { Option } from '../args/options.js';
import { flag, takes, type Block, type OptionWords } from './word.js';

export interface OptionGroup {
  readonly title: string;
  /** Before the options. */
  readonly text?: readonly Block[];
  readonly options: Partial<Readonly<Record<Option['key'], OptionWords>>>;
  /** Behind them. */
  readonly notes?: readonly Block[];
}

export const OPTION_GROUPS: readonly OptionGroup[] = [
  {
    title: 'Which daemon and which middleware',
    options: {
      useDaemon: flag(
        'send the call through the daemon',
        '; if there is none, start it, if that needs no login, one is given, or the terminal can be asked',
      ),
      autostart: flag('with -d: start no daemon'),
      profile: takes(
        'NAME',
        'profiles',
        'the system of this name',
        "; see 'midclt help profiles'. Several: NAME,NAME, 'all' or @GROUP",
      ),
      uri: takes(
        'URI',
        'uri',
        'the middleware',
        ': wss://HOST/api/current, for which HOST will do, ws://… or ws+unix:///PATH (default: the one of this machine)',
      ),
      username: takes('NAME', 'user', 'the user to log in as', ' (with -d the daemon did that)'),
      password: takes(
        'PASSWORD',
        'text',
        "that user's password",
        "; given here, other users of this machine can see it for the moment it takes the program to start. '-': the first line of stdin",
      ),
      passwordFile: takes(
        'FILE',
        'file',
        "a file with that user's password",
        " as its first line (mode 0600); '-' is stdin. Without any of them, the terminal is asked",
      ),
      otp: takes(
        'CODE',
        'text',
        "that user's one-time code",
        ', for an account that wants one (default: the terminal is asked)',
      ),
      apiKey: takes(
        'KEY|FILE',
        'key',
        "log in with this API key of the user's",
        ', or with the one in this file',
      ),
      caFile: takes(
        'FILE',
        'file',
        'wss: trust the authorities in this file, too',
        " (PEM). It counts for what connects: the daemon's start, and calls without one",
      ),
      insecure: flag(
        "wss: do not verify the server's certificate",
        "; 'midclt trust HOST' is better",
      ),
    },
    notes: [
      'Each URI and user has a daemon of its own: give its commands the same -u and -U. The login is needed only by what starts it: while a daemon runs, -d reads no password and asks for none. Where none runs and a password is needed, it is asked for on the terminal, and the daemon starts with it.',
    ],
  },
  {
    title: 'API keys',
    text: [
      'A key is NUMBER-LETTERS_AND_DIGITS. A key file (mode 0600) holds that; or JSON or INI with raw_key, or with api_key_id, client_key, stored_key, server_key; and with username, if -U is to be left out.',
      'A key is not sent: both sides prove that they know it (SCRAM), and over wss: that nobody stands between them (channel binding).',
    ],
    options: {
      noChannelBinding: flag(
        'prove a key without channel binding',
        '; over ws: to other hosts it is needed',
      ),
      plain: flag(
        'send the key',
        ', to a TrueNAS before 26; over ws: to other hosts it is refused: keys sent so are revoked',
      ),
      force: flag('with --plain: send the key where it is refused, too'),
    },
  },
  {
    title: 'Several systems at once',
    text: [
      {
        terms: [
          [
            '-p NAME,NAME',
            'these profiles; \'all\' stands for all, \'@GROUP\' for those of a group: with call, ping, batch, download and job. Each is asked through a daemon of its own. Answers come as they are there, a line of JSON each with "profile" and "result" or "error"; on a terminal as a table. Exit code 1 if any has failed',
          ],
        ],
      },
    ],
    options: {
      systems: takes(
        'N',
        'number',
        'of several systems: ask so many at a time',
        ` (default ${DEFAULT_SYSTEMS})`,
      ),
      sort: flag('of several systems: print answers in their order'),
    },
  },
  {
    title: 'Other options',
    options: {
      timeout: takes(
        'SECONDS',
        'seconds',
        'how long a call may take',
        ", for a job: to be started; 0 means the default. 'subscribe' has one of its own, which stands behind it. A daemon that does not answer at all is given ten to fifteen seconds, whatever this says",
      ),
      help: flag('show this help', "; behind a command: that command's"),
      version: flag('show the version'),
    },
    notes: [
      "Options may be shortened as long as they stay unambiguous (--user). They may follow the command, and '--' ends them: 'midclt -d call METHOD -- -x'",
    ],
  },
];

/** Of those in `-h`, which is short. */
export const FOREMOST: readonly Option['key'][] = [
  'useDaemon',
  'profile',
  'uri',
  'username',
  'apiKey',
  'timeout',
];
