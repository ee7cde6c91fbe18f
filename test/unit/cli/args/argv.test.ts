import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import t from 'tap';

import { parseArgv as parseWhole, type Parsed } from '../../../../lib/cli/args/argv.js';
import type { Arguments } from '../../../../lib/cli/args/arguments.js';
import { ROOT } from '../../../support/root.js';

interface Case {
  argv: string[];
  /** The original's namespace, without what is empty. */
  parsed?: Record<string, unknown>;
  exit?: number;
  stderr?: string[];
}

const vectors = join(ROOT, 'test/vectors/argv.json');
const cases = JSON.parse(readFileSync(vectors, 'utf8')) as Case[];

const NOTHING: Arguments = {
  name: null,
  uri: null,
  username: null,
  password: null,
  passwordFile: null,
  apiKey: null,
  otp: null,
  timeout: null,
  useDaemon: false,
  insecure: false,
  caFile: null,
  plain: false,
  noChannelBinding: false,
  force: false,
  autostart: true,
  quiet: false,
  job: false,
  jobPrint: 'progressbar',
  abortOnInterrupt: false,
  method: [],
  jobId: 0,
  event: null,
  pattern: null,
  refresh: false,
  number: null,
  lifetime: 600,
  logFile: null,
  logLevel: 'info',
  concurrency: 8,
  linger: 1,
  maxConnections: 1024,
  memory: 512,
  detach: false,
  handoverFd: null,
  all: false,
  json: false,
  prometheus: false,
  state: null,
  mine: false,
  output: null,
  buffered: false,
  format: null,
  file: [],
  unix: null,
  ws: null,
  wss: null,
  certificate: null,
  files: [],
  parallel: 4,
  progress: false,
  stopOnError: false,
  failed: null,
  unknown: null,
  resumeFrom: 1,
  status: true,
  follow: false,
  shell: 'sh',
  lines: 10,
  bigint: false,
  profile: null,
  systems: null,
  sort: false,
  group: [],
  check: true,
  ansible: false,
  none: false,
  fingerprint: null,
  list: false,
  remove: false,
  print: false,
  profileName: null,
  topic: [],
  system: null,
  profileWords: null,
};

const CHOICES =
  "(choose from 'call', 'ping', 'subscribe', 'daemon', 'daemon-stop', 'daemon-status', 'daemon-list', 'sandbox', 'batch', 'daemon-log', 'shell-init', 'job', 'download', 'upload', 'methods', 'describe', 'events', 'types', 'login', 'trust', 'profile', 'service', 'doctor', 'help', 'version', 'completion')";

/** The original refuses these; accepting them can harm no script. */
const acceptedHere = new Map<string, Partial<Arguments>>([
  ['call -d m', { name: 'call', useDaemon: true, method: ['m'] }],
  ['ping -d', { name: 'ping', useDaemon: true }],
]);

/** Without the words that are told apart for whom near ones are said to. */
function parseArgv(argv: readonly string[]): Parsed {
  const parsed = parseWhole(argv);
  return parsed.kind === 'usage' ? usageOf(parsed) : parsed;
}

function usageOf({ kind, message, command }: Extract<Parsed, { kind: 'usage' }>): Parsed {
  return { kind, message, command };
}

function run(given: Partial<Arguments>): Parsed {
  return { kind: 'run', args: { ...NOTHING, ...given } };
}

function usage(message: string, command = ''): Parsed {
  const error = `midclt${command && ' '}${command}: error: ${message}`;
  return { kind: 'usage', message: error, command: command || null };
}

/** The members of the original's namespace under their names here. */
function renamed(parsed: Record<string, unknown>): Partial<Arguments> {
  const entries = Object.entries(parsed).map(([name, value]) => [
    name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(entries) as Partial<Arguments>;
}

t.test('every command line the original was tried on means the same here', (t) => {
  for (const { argv, parsed, exit, stderr = [] } of cases) {
    const line = argv.join(' ');
    const actual = parseArgv(argv);
    const accepted = acceptedHere.get(line);
    if (accepted) t.strictSame(actual, run(accepted), `${line} (refused by the original)`);
    else if (parsed) {
      // A lifetime of 0 is empty and so left out.
      const lifetime = parsed['name'] === 'daemon' ? { lifetime: 0 } : {};
      t.strictSame(actual, run({ ...lifetime, ...renamed(parsed) }), line);
    } else if (exit === 0) {
      t.strictSame(actual, { kind: 'help', command: argv.length > 1 ? argv[0] : null }, line);
    } else {
      const cut = (message: string): string =>
        message.includes('argument name') ? message.replace(/\(choose from .*/, '') : message;
      const message = actual.kind === 'usage' ? actual.message : actual.kind;
      t.equal(cut(message), cut(stderr.join('\n')), line);
    }
  }
  t.equal(cases.length, 56);
  t.end();
});

/** Each rule with command lines and what comes of them. */
const rules: Record<string, [argv: string[], expected: Parsed][]> = {
  'an option takes its value in every spelling argparse knows': [
    [['-u=X', 'ping'], run({ name: 'ping', uri: 'X' })],
    [['--uri=', 'ping'], run({ name: 'ping', uri: '' })],
    [['--uri=a=b', 'ping'], run({ name: 'ping', uri: 'a=b' })],
    [['-u', '', 'ping'], run({ name: 'ping', uri: '' })],
    [['-dtu5'], usage("argument -t/--timeout: invalid int value: 'u5'")],
    [['-d=t5', 'ping'], run({ name: 'ping', useDaemon: true, timeout: 5 })],
    [['--username=two\nlines', 'ping'], run({ name: 'ping', username: 'two\nlines' })],
    [['-U', '5', '-P', '0x10', 'ping'], run({ name: 'ping', username: '5', password: '0x10' })],
    [['--no-channel-binding', 'ping'], run({ name: 'ping', noChannelBinding: true })],
  ],
  'the last occurrence of an option wins': [
    [['-u', 'a', '--uri=b', 'ping'], run({ name: 'ping', uri: 'b' })],
    [['-t', '1', 'call', 'm', '-t', '2'], run({ name: 'call', timeout: 2, method: ['m'] })],
    [['call', '-j', '-j', 'm'], run({ name: 'call', job: true, method: ['m'] })],
  ],
  'an option that wants a value does not take an option for it': [
    [['-u', '-d', 'ping'], usage('argument -u/--uri: expected one argument')],
    [['-u', '--zz', 'ping'], usage('argument -u/--uri: expected one argument')],
    [['-u'], usage('argument -u/--uri: expected one argument')],
    [['call', '-jp', '--', 'm'], usage('argument -jp/--job-print: expected one argument', 'call')],
    [['-u', '-', 'ping'], run({ name: 'ping', uri: '-' })],
    [['-U', '-.5', 'ping'], run({ name: 'ping', username: '-.5' })],
    [['-U', '-x y', 'ping'], run({ name: 'ping', username: '-x y' })],
  ],
  'a prefix of a long option is that option unless it could be two': [
    [['--p', 'x', 'ping'], usage('ambiguous option: --p could match --password, --plain')],
    [
      ['call', '--jo=x', 'm'],
      usage('ambiguous option: --jo=x could match --job, --job-print', 'call'),
    ],
    [['--pl', 'ping'], run({ name: 'ping', plain: true })],
    [['--force', '--plain', 'ping'], run({ name: 'ping', plain: true, force: true })],
    [['--job', 'ping'], usage('unrecognized arguments: --job')],
    [['call', '--qui', 'm'], run({ name: 'call', quiet: true, method: ['m'] })],
    [['--passw', 'x', 'ping'], run({ name: 'ping', password: 'x' })],
    [['--password-f', 'x', 'ping'], run({ name: 'ping', passwordFile: 'x' })],
    [['--otp', '0012', 'ping'], run({ name: 'ping', otp: '0012' })],
  ],
  'an option added here takes no prefix away from the original': [
    [['daemon', '--li', '5'], run({ name: 'daemon', lifetime: 5 })],
    [['daemon', '--lin', '.5'], run({ name: 'daemon', linger: 0.5 })],
    [
      ['daemon', '--l', '5'],
      usage('ambiguous option: --l could match --lifetime, --log-file', 'daemon'),
    ],
  ],
  'a flag takes no value': [
    [['--plain=x', 'ping'], usage("argument --plain: ignored explicit argument 'x'")],
    [['--plain=', 'ping'], usage("argument --plain: ignored explicit argument ''")],
    [['call', '-jx', 'm'], usage("argument -j/--job: ignored explicit argument 'x'", 'call')],
    [['-d=', 'ping'], usage("argument -d/--use-daemon: ignored explicit argument ''")],
  ],
  'a word that is no option is a positional': [
    [
      ['call', 'm', '-x y', '-t 5', '--uri=a b', '', '-'],
      run({ name: 'call', method: ['m', '-x y', '-t 5', '--uri=a b', '', '-'] }),
    ],
    [
      ['call', 'm', '-1', '-.5', '-1.5', '-٣'],
      run({ name: 'call', method: ['m', '-1', '-.5', '-1.5', '-٣'] }),
    ],
    [['call', 'm', '-5.'], usage('unrecognized arguments: -5.')],
  ],
  'only the first -- is removed': [
    [['call', 'm', '--', '--', '-q'], run({ name: 'call', method: ['m', '--', '-q'] })],
    [['call', 'm', '-q', '--'], run({ name: 'call', quiet: true, method: ['m'] })],
    [['subscribe', '--', '-e'], run({ name: 'subscribe', event: '-e' })],
  ],
  'options may stand between positionals, global ones after the subcommand': [
    [['call', 'm', '-j', '1'], run({ name: 'call', job: true, method: ['m', '1'] })],
    [
      ['call', 'm', '-t', '5', '1', '--use-d', '-uX'],
      run({ name: 'call', timeout: 5, useDaemon: true, uri: 'X', method: ['m', '1'] }),
    ],
    [
      ['call', '-jdt5', 'm'],
      run({ name: 'call', job: true, useDaemon: true, timeout: 5, method: ['m'] }),
    ],
    [['call', 'm', '-t', 'x'], usage("argument -t/--timeout: invalid int value: 'x'")],
    [['call', 'm', '--p'], usage('ambiguous option: --p could match --password, --plain')],
  ],
  'what nothing accepts is named, in its order': [
    [['-z', 'ping', 'x', '-y', '--', '-w'], usage('unrecognized arguments: -z x -y -w')],
    [['subscribe', 'e', 'f'], usage('unrecognized arguments: f')],
    [['-a'], usage('unrecognized arguments: -a')],
    [['call', '-a'], usage('the following arguments are required: method', 'call')],
    [['subscribe'], usage('the following arguments are required: event', 'subscribe')],
  ],
  'help and the version win over errors that come after them': [
    [['-a', '-h', '-t', 'x'], { kind: 'help', command: null }],
    [['call', '--he'], { kind: 'help', command: 'call' }],
    [['call', '-jqh', '-t', 'x'], { kind: 'help', command: 'call' }],
    [['-dh', 'call'], { kind: 'help', command: null }],
    [['--version', '--uri'], { kind: 'version' }],
    [['ping', '--version'], { kind: 'version' }],
    [['-t', 'x', '-h'], usage("argument -t/--timeout: invalid int value: 'x'")],
    [['-hx'], usage("argument -h/--help: ignored explicit argument 'x'")],
    [['call', 'm', '--', '-h'], run({ name: 'call', method: ['m', '-h'] })],
  ],
  'numbers are what int() takes': [
    [['-t', ' +1_0\n', 'ping'], run({ name: 'ping', timeout: 10 })],
    [['-t', '0', 'ping'], run({ name: 'ping', timeout: 0 })],
    [['-t', '-0', 'ping'], run({ name: 'ping', timeout: 0 })],
    [['-t', '9'.repeat(400), 'ping'], run({ name: 'ping', timeout: Number.MAX_SAFE_INTEGER })],
    [['daemon', '--lifetime', '-5'], run({ name: 'daemon', lifetime: -5 })],
    [
      ['subscribe', '-n', '1__0', 'e'],
      usage("argument -n/--number: invalid int value: '1__0'", 'subscribe'),
    ],
    [['-t', '', 'ping'], usage("argument -t/--timeout: invalid int value: ''")],
    [['-t', '-5', 'ping'], usage('argument -t/--timeout: must not be negative: -5')],
  ],
  'a subscription knows only the timeout given after its name': [
    [['-t', '5', 'subscribe', 'e'], run({ name: 'subscribe', event: 'e' })],
    [['-t', '5', 'subscribe', 'e', '-t', '6'], run({ name: 'subscribe', event: 'e', timeout: 6 })],
  ],
  'the daemon and the sandbox check what they are given': [
    [
      ['daemon', '--concurrency=1', '--linger=0'],
      run({ name: 'daemon', concurrency: 1, linger: 0 }),
    ],
    [['daemon', '--max', '7'], run({ name: 'daemon', maxConnections: 7 })],
    [
      ['daemon', '--memory', '31'],
      usage('argument --memory: must be between 32 and 1000000: 31', 'daemon'),
    ],
    [
      ['daemon', '--max-connections', '0'],
      usage('argument --max-connections: must be between 1 and 1000000: 0', 'daemon'),
    ],
    [
      ['daemon', '--concurrency', '0'],
      usage('argument --concurrency: must be between 1 and 18: 0', 'daemon'),
    ],
    [['daemon', '--linger', '-1'], usage('argument --linger: must not be negative: -1', 'daemon')],
    [
      ['daemon', '--linger', 'inf'],
      usage("argument --linger: invalid float value: 'inf'", 'daemon'),
    ],
    [['sandbox', '--unix', 'S', '--ws', '0'], run({ name: 'sandbox', unix: 'S', ws: 0 })],
    [
      ['sandbox', '--ws', '65536'],
      usage('argument --ws: must be between 0 and 65535: 65536', 'sandbox'),
    ],
    [
      ['sandbox', '--wss=4433', '--cert', 'F.pem'],
      run({ name: 'sandbox', wss: 4433, certificate: 'F.pem' }),
    ],
    [['sandbox', '--ws', '1', '--wss', '2'], run({ name: 'sandbox', ws: 1, wss: 2 })],
    [
      ['sandbox', '--wss', '-1'],
      usage('argument --wss: must be between 0 and 65535: -1', 'sandbox'),
    ],
    [['sandbox', '--w', '1'], usage('ambiguous option: --w could match --ws, --wss', 'sandbox')],
    [['--wss=1', 'sandbox'], usage('unrecognized arguments: --wss=1')],
    [['-d', 'batch'], run({ name: 'batch', useDaemon: true })],
    [
      ['batch', '--par', '64', 'f', '-', '--prog', 'g'],
      run({ name: 'batch', parallel: 64, progress: true, files: ['f', '-', 'g'] }),
    ],
    [
      ['batch', '--parallel', '0'],
      usage('argument --parallel: must be between 1 and 64: 0', 'batch'),
    ],
    [
      ['batch', '--parallel', '65'],
      usage('argument --parallel: must be between 1 and 64: 65', 'batch'),
    ],
    [['batch', '-j', 'f'], usage('unrecognized arguments: -j')],
  ],
  'a value in a message is quoted as repr does': [
    [
      ['-t', 'it\'s\t"x"\\\x07\u200b\u00e9', 'ping'],
      usage('argument -t/--timeout: ' + "invalid int value: 'it\\'s\\t\"x\"\\\\\\x07\\u200bé'"),
    ],
    [['constructor'], usage(`argument name: invalid choice: 'constructor' ${CHOICES}`)],
  ],
  'a secret is in no message': [
    [['--p=secret', 'ping'], usage('ambiguous option: --p could match --password, --plain')],
    [['-P', '--p', 'ping'], usage('argument -P/--password: expected one argument')],
    [
      ['-Psecret', 'nosuch', '-K', 'secret'],
      usage(`argument name: invalid choice: 'nosuch' ${CHOICES}`),
    ],
  ],
};

for (const [rule, lines] of Object.entries(rules)) {
  t.test(rule, (t) => {
    for (const [argv, expected] of lines) {
      t.strictSame(parseArgv(argv), expected, JSON.stringify(argv));
    }
    t.end();
  });
}
