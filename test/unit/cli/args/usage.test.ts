/** The usage before an error in it, as Python's argparse writes it. */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { parseArgv } from '../../../../lib/cli/args/argv.js';
import { COMMANDS, GLOBAL } from '../../../../lib/cli/args/grammar.js';
import type { Command } from '../../../../lib/cli/args/options.js';
import { usageError, usageText } from '../../../../lib/cli/args/usage.js';
import { helpText } from '../../../../lib/cli/words/help.js';
import { makeHome, midclt, missing } from '../../../support/midclt.js';
import { onTerminal } from '../../../support/terminal.js';

/** argparse itself, given the same options; prints the usage of every command at every width. */
const PYTHON = String.raw`
import argparse, json, os, sys
given = json.load(sys.stdin)
def fill(parser, command):
    for names, takes, choices in command['options']:
        if names[0] == '-h':
            continue
        if takes:
            parser.add_argument(*names, choices=choices)
        else:
            parser.add_argument(*names, action='store_true')
    if command['positional']:
        name, nargs, choices = command['positional']
        parser.add_argument(name, nargs=nargs, choices=choices)
parser = argparse.ArgumentParser(prog='midclt')
fill(parser, given['global'])
subparsers = parser.add_subparsers(dest='name')
each = {'': parser}
groups = {}
for name, command in given['commands'].items():
    *group, last = name.split(' ')
    parent = subparsers
    if group:
        if group[0] not in each:
            each[group[0]] = subparsers.add_parser(group[0])
            groups[group[0]] = each[group[0]].add_subparsers(dest='command')
        parent = groups[group[0]]
    each[name] = parent.add_parser(last)
    fill(each[name], command)
found = {}
for columns in given['columns']:
    os.environ['COLUMNS'] = str(columns)
    found[str(columns)] = {name: parser.format_usage() for name, parser in each.items()}
json.dump(found, sys.stdout)
`;

function described(name: string | null, { options, most }: Command) {
  const positionals: Record<string, [string, string | null, string[] | null]> = {
    call: ['method', '+', null],
    subscribe: ['event', null, null],
    batch: ['file', '*', null],
    download: ['method', '+', null],
    upload: ['method', '+', null],
    'job show': ['id', null, null],
    'job wait': ['id', null, null],
    'job follow': ['id', null, null],
    'job abort': ['id', null, null],
    'job log': ['id', null, null],
    methods: ['pattern', '?', null],
    describe: ['method', null, null],
    events: ['pattern', '?', null],
    login: ['name', null, null],
    trust: ['host', '?', null],
    'profile add': ['name', null, null],
    'profile show': ['name', null, null],
    'profile remove': ['name', null, null],
    'profile default': ['name', '?', null],
    help: ['topic', '*', null],
    'shell-init': ['shell', null, ['bash', 'zsh', 'sh']],
    completion: ['shell', null, ['bash', 'zsh', 'fish']],
  };
  const positional = name === null ? null : (positionals[name] ?? null);
  t.equal(positional !== null, most > 0, `${name ?? 'the program'} takes what it is given`);
  return {
    options: options
      .filter(({ hidden }) => !hidden)
      .map(({ names, type, choices }) => [names, type !== 'boolean', choices ?? null]),
    positional,
  };
}

const python = spawnSync('sh', ['-c', 'python3 --version'], { encoding: 'utf8' });
const minor = Number(/^Python 3\.(\d+)/.exec(python.stdout)?.[1]);
// The formatting is that of the Pythons that TrueNAS has had; 3.13 began to wrap otherwise.
const noPython = minor >= 9 && minor <= 12 ? false : 'needs Python 3.9 to 3.12';

t.test('it is what argparse writes, at any width', { skip: noPython }, async (t) => {
  const columns = [...Array.from({ length: 150 }, (_, i) => i + 1), 200, 300, 400, 1000];
  const given = {
    columns,
    global: described(null, GLOBAL),
    commands: Object.fromEntries(
      [...COMMANDS].map(([name, each]) => [name, described(name, each)]),
    ),
  };
  const { stdout, stderr } = spawnSync('python3', ['-c', PYTHON], {
    input: JSON.stringify(given),
    encoding: 'utf8',
  });
  t.equal(stderr, '');
  const expected = JSON.parse(stdout) as Record<string, Record<string, string>>;
  for (const width of columns) {
    const own = Object.fromEntries(
      ['', 'job', 'profile', 'service', ...COMMANDS.keys()].map((name) => [
        name,
        usageText(name || null, width),
      ]),
    );
    t.strictSame(own, expected[width], `${width} columns`);
  }
});

const CALL = `usage: midclt call [-h] [-q] [-j] [-jp {progressbar,description}] [-o OUTPUT]
                   [--detach] [--abort-on-interrupt]
                   method [method ...]
`;

t.test('it comes before the error on stderr, exit 2', async (t) => {
  const home = makeHome(t);
  t.match(await midclt(['-d', 'call'], { home }), {
    code: 2,
    stdout: '',
    stderr: `${CALL}midclt call: error: the following arguments are required: method\n`,
  });
  t.match(await midclt(['call', '-jp', 'x', 'm'], { home, env: { COLUMNS: '200' } }), {
    code: 2,
    stdout: '',
    stderr:
      'usage: midclt call [-h] [-q] [-j] [-jp {progressbar,description}] [-o OUTPUT] [--detach] [--abort-on-interrupt] method [method ...]\n' +
      "midclt call: error: argument -jp/--job-print: invalid choice: 'x' (choose from 'progressbar', 'description')\n",
  });
  const unknown = await midclt(['--nope'], { home });
  t.match(
    unknown.stderr,
    /^usage: midclt \[-h\] \[-p PROFILE\] \[-u URI\] \[-U USERNAME\] \[-P PASSWORD\]\n/,
  );
  t.match(unknown.stderr, /\n {14}\{call,ping,subscribe,daemon,daemon-stop,.*\}\n {14}\.\.\.\n/);
  t.match(unknown.stderr, /\nmidclt: error: unrecognized arguments: --nope\n$/);
  t.notMatch(unknown.stderr, 'handover');
  const conflict = ['-P', 'a', '--password-file', 'b', 'ping'];
  t.match(await midclt(conflict, { home }), {
    code: 2,
    stderr: /^usage: midclt [^]*\nmidclt: error: argument --password-file: not allowed/,
  });
});

t.test('who sits at a terminal gets no screen full of names', async (t) => {
  const said = (...argv: string[]) => {
    const parsed = parseArgv(argv);
    return parsed.kind === 'usage' ? usageError(parsed, true).split('\n') : [];
  };
  const usage = 'usage: midclt [OPTION ...] COMMAND [ARGUMENT ...]';
  t.strictSame(said('-d', 'cal', 'x'), [
    usage,
    "midclt: error: argument name: invalid choice: 'cal'",
    'Did you mean call?',
    "'midclt -h' lists the commands, 'midclt help options' the options",
  ]);
  t.strictSame(said('call', 'x', '--jbo'), [
    usage,
    'midclt: error: unrecognized arguments: --jbo',
    'Did you mean --job?',
    "'midclt call -h' tells what it takes",
  ]);
  t.equal(helpText(null).split('\n')[0], usage);
  t.equal(said('job', 'lits').length, 3);
});

t.test('it is as wide as the terminal', { skip: missing('script', 'stty') }, async (t) => {
  const home = makeHome(t);
  const wide = onTerminal(t, 'midclt call', { home, columns: 120 });
  t.equal(await wide.finished, 2);
  t.strictSame(wide.screen.lines, [
    'usage: midclt call [-h] [-q] [-j] [-jp {progressbar,description}] [-o OUTPUT] [--detach] [--abort-on-interrupt]',
    '                   method [method ...]',
    'midclt call: error: the following arguments are required: method',
  ]);
});
