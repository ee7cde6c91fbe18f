/** The manual pages, `help` and `version`, as the built program has them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { CommandName } from '../../lib/cli/args/arguments.js';
import { COMMANDS, GLOBAL } from '../../lib/cli/args/grammar.js';
import { helpText } from '../../lib/cli/words/help.js';
import { EXAMPLES, VARIABLES } from '../../lib/cli/words/surroundings.js';
import { VERSION } from '../../lib/protocol/frames.js';
import { BINARY, makeHome, midclt, missing, shell } from '../support/midclt.js';
import { ROOT } from '../support/root.js';

const DIRECTORY = join(ROOT, 'dist/man');
const PAGES = ['midclt-daemon.1', 'midclt-protocol.7', 'midclt.1'];
const home = makeHome(t);

/** A page as a terminal of 80 columns shows it, without bold and underlines. */
async function shown(page: string): Promise<{ text: string; stderr: string }> {
  const command = `LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l -Tutf8 "${join(DIRECTORY, page)}"`;
  const { stdout, stderr } = await shell(command, { home });
  // eslint-disable-next-line no-control-regex -- what bold is made of
  return { text: stdout.replace(/.\x08|\x1b\[[\d;]*m/g, ''), stderr };
}

t.test('the pages are those that the package names', async (t) => {
  const { man } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { man: string[] };
  t.same(readdirSync(DIRECTORY).sort(), PAGES);
  t.same(man.map((path) => path.replace('dist/man/', '')).sort(), PAGES);
});

t.test('mandoc finds nothing to say about them', { skip: missing('mandoc') }, async (t) => {
  for (const page of PAGES) {
    const { stdout } = await shell(`mandoc -T lint -W style "${join(DIRECTORY, page)}"`, { home });
    t.equal(stdout, '', page);
  }
});

t.test('man shows them without a warning in 80 columns', { skip: missing('man') }, async (t) => {
  for (const page of PAGES) {
    const { text, stderr } = await shown(page);
    t.equal(stderr, '', page);
    t.ok(text.split('\n').length > 150, `${page} has lines`);
    t.same(
      text.split('\n').filter((line) => line.length > 80),
      [],
      page,
    );
    t.notMatch(text, /undefined|\[object|\{(?:default|choices)\}/, page);
    t.notMatch(text, /\u2010\n/, `${page}: no word is broken`);
  }
});

t.test('they have every command, option and variable', { skip: missing('man') }, async (t) => {
  const { text: daemon } = await shown('midclt-daemon.1');
  const all = (await shown('midclt.1')).text + daemon;
  for (const [name, { options }] of [['Other options', GLOBAL] as const, ...COMMANDS]) {
    t.match(all, new RegExp(`^   ${name}\\b`, 'm'), name);
    const text = name.startsWith('daemon') ? daemon : all;
    for (const { names, hidden, key } of options) {
      if (hidden || (key === 'help' && COMMANDS.has(name as CommandName))) continue;
      t.match(
        text,
        new RegExp(`^       ${names.join(', ')}(?: |$)`, 'm'),
        `${name} ${names.join()}`,
      );
    }
  }
  for (const [variable] of VARIABLES) t.match(all, new RegExp(`^       ${variable}\\b`, 'm'));
});

t.test('the protocol is told as docs/PROTOCOL.md does', { skip: missing('man') }, async (t) => {
  const document = readFileSync(join(ROOT, 'docs/PROTOCOL.md'), 'utf8');
  const { text } = await shown('midclt-protocol.7');
  const members = [...document.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name!);
  t.ok(members.length > 15);
  for (const name of members) t.match(text, new RegExp(`^       ${name}\\b`, 'm'), name);
  for (const [, title] of document.matchAll(/^## (.*)$/gm)) t.match(text, title!.toUpperCase());
});

t.test('help and version are commands', async (t) => {
  t.equal((await midclt(['version'], { home })).stdout, `midclt ${VERSION}\n`);
  for (const [args, name] of [
    [['help'], null],
    [['help', 'call'], 'call'],
    [['help', 'job', 'list'], 'job list'],
    [['help', 'profile'], 'profile'],
  ] as const) {
    const expected = { code: 0, stdout: helpText(name), stderr: '' };
    t.match(await midclt([...args], { home }), expected, args.join(' '));
  }
  t.match(await midclt(['help', 'options'], { home }), { code: 0, stdout: /^ {2}--insecure /m });
});

t.test('the examples of a sandbox can be pasted, all at once', async (t) => {
  const own = EXAMPLES.map(({ command }) => command);
  for (const text of [helpText('sandbox'), own.join('\n')]) {
    const home = makeHome(t);
    const lines = text.match(/^ *midclt .*\/tmp\/box\.sock.*$/gm) ?? [];
    t.ok(lines.length > 2, lines.join('\n'));
    const script = [
      `mkdir '${home}/bin' && ln -s '${BINARY}' '${home}/bin/midclt' && PATH='${home}/bin':$PATH`,
      ...lines.map((line) => line.replace('/tmp/box.sock', `${home}/box.sock`)),
      `midclt -u "ws+unix://${home}/box.sock" daemon-stop; kill $!`,
    ];
    const { stdout, stderr } = await shell(script.join('\n'), { home });
    t.match(stdout, '"hostname": "sandbox"');
    t.notMatch(stderr, 'No daemon is running');
  }
});

t.test('help about nothing that exists says what was meant', async (t) => {
  t.match(await midclt(['help', 'jb', 'list'], { home }), {
    ...{ code: 2, stdout: '' },
    stderr: "midclt: error: no help about 'jb list'; did you mean 'midclt help job list'?\n",
  });
  t.match(await midclt(['help', 'xyzzy'], { home }), {
    ...{ code: 2, stdout: '' },
    stderr: "midclt: error: no help about 'xyzzy'; 'midclt -h' lists the commands\n",
  });
});
