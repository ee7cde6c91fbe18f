/** What the documents say of commands, options and variables is what there is. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { parseArgv } from '../../../../lib/cli/args/argv.js';
import { COMMANDS, GLOBAL } from '../../../../lib/cli/args/grammar.js';
import { INTERNAL_VARIABLES, VARIABLES } from '../../../../lib/cli/words/surroundings.js';
import { ROOT } from '../../../support/root.js';
import { midcltCommands } from '../../../support/shell-words.js';

const DOCUMENTS = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => /^(?!ARCHITECTURE|FAILURES).*\.md$/.test(name))
    .map((name) => `docs/${name}`),
].map((name) => [name, readFileSync(join(ROOT, name), 'utf8')] as const);

t.test('commands in them are command lines', (t) => {
  let seen = 0;
  for (const [name, text] of DOCUMENTS) {
    const blocks = [...text.matchAll(/^```(?:sh|console)\n(.*?)^```$/gms)].map(([, block]) =>
      block!
        .replace(/\\\n/g, '')
        .replace(/^\$ /gm, '')
        .replace(/ # .*$/gm, ''),
    );
    const inline = [...text.matchAll(/`(midclt [^`]*)`/g)].map(([, line]) =>
      line!
        .replaceAll('COMMAND', 'call')
        .replace(/\b(?:N|SECONDS|MIB)\b/g, '32')
        .replace(/[[\]…]|\.\.\./g, ''),
    );
    for (const line of [...blocks.flatMap((block) => block.split('\n')), ...inline]) {
      for (const argv of midcltCommands(line)) {
        seen++;
        const parsed = parseArgv(argv);
        // One that a sentence names has not all that it needs.
        const isShort = parsed.kind === 'usage' && /arguments are required/.test(parsed.message);
        // What comes after shows that it is none: it is told to the Python program's users.
        const isRefused = name === 'docs/MIGRATING.md' && argv.includes('-1');
        t.ok(parsed.kind !== 'usage' || isShort || isRefused, `${name}: ${argv.join(' ')}`);
      }
    }
  }
  t.ok(seen > 80, `${seen} commands`);
  t.end();
});

t.test('options in them exist, and so do variables', (t) => {
  const options = [GLOBAL, ...COMMANDS.values()].flatMap((each) => each.options);
  const names = new Set([...options.flatMap((each) => each.names)]);
  const variables = new Set([...VARIABLES.map(([name]) => name), ...INTERNAL_VARIABLES]);
  for (const [name, text] of DOCUMENTS) {
    if (/RECIPES|SCALE|MIGRATING/.test(name)) continue; // they tell of other programs, too
    const unknown = [...text.matchAll(/`(?:[a-z-]+ )?(--[a-z][\w-]*)[^`]*`/g)]
      .map(([, option]) => option!)
      .filter((option) => !names.has(option));
    t.same(unknown, [], name);
    const strange = [...text.matchAll(/\b(?:MIDCLT_(?!TEST|SOAK|PEER)[A-Z_]+|CALL_TIMEOUT)\b/g)]
      .map(([variable]) => variable)
      .filter((variable) => !variables.has(variable));
    t.same(strange, [], name);
  }
  t.end();
});

t.test('what they link to is there', (t) => {
  const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
  const anchors = (file: string) => {
    const headings = [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!);
    return headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    );
  };
  const docs = readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`);
  const more = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'bench/README.md'];
  for (const name of [...more, ...docs].filter((each) => each.endsWith('.md'))) {
    const text = read(name).replace(/^```.*?^```$/gms, '');
    const links = [...text.matchAll(/\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]+))?\)/g)];
    const dead = links.filter(([, file, anchor]) => {
      const target = file ? join(dirname(name), file) : name;
      return (
        !existsSync(join(ROOT, target)) ||
        (anchor !== undefined && target.endsWith('.md') && !anchors(target).includes(anchor))
      );
    });
    t.same(
      dead.map(([link]) => link),
      [],
      name,
    );
  }
  t.end();
});

t.test('their tables are what the words say', (t) => {
  const script = join(ROOT, 'scripts/docs.js');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  t.equal(stderr, '');
  t.equal(status, 0);
  t.end();
});
