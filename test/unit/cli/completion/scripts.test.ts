/** The scripts for shells have what the grammar has, and run nothing that they are told. */
import t from 'tap';
import { COMPLETING } from '../../../../lib/cli/args/arguments.js';
import { commandOf, COMMANDS, GLOBAL } from '../../../../lib/cli/args/grammar.js';
import { levels } from '../../../../lib/cli/completion/levels.js';
import { completionScript } from '../../../../lib/cli/completion/script.js';

t.test('a level for the program, each group and each command, with its own options', async (t) => {
  const all = new Map(levels().map((level) => [level.name, level]));
  t.same([...all.keys()].sort(), ['', 'job', 'profile', 'service', ...COMMANDS.keys()].sort());
  for (const [name, level] of all) {
    const { options, commands = [], choices } = commandOf(name || null);
    const shown = options.filter(({ hidden }) => !hidden).flatMap(({ names }) => names);
    const offered = level.options.flatMap(({ names }) => names);
    t.same(
      shown.filter((each) => !offered.includes(each)),
      [],
      `${name}: its options`,
    );
    t.equal(new Set(offered).size, offered.length, `${name}: each once`);
    const known = [...options, ...GLOBAL.options].flatMap(({ names }) => names);
    t.same(
      offered.filter((each) => !known.includes(each)),
      [],
      `${name}: no others`,
    );
    t.same(
      level.words.map(([word]) => word),
      commands,
    );
    if (choices) t.same(level.places, [{ words: choices }], `${name}: its choices`);
  }
  const takes = (name: string, option: string) =>
    all.get(name)?.options.find(({ names }) => names.includes(option))?.offer;
  t.equal(takes('', '-K'), 'files');
  t.equal(takes('call', '-p'), 'systems');
  t.match(takes('call', '-o'), { words: ['json', 'jsonl', 'pretty', 'table', 'table=', 'tsv='] });
  t.equal(takes('download', '-o'), 'files');
  t.same(all.get('call')?.places, ['methods', null]);
  t.same(all.get('download')?.places[0], 'downloads');
  t.same(all.get('profile show')?.places, ['profile-names']);
  t.same(all.get('profile add')?.places, [null], 'a new name');
  t.notOk(all.get('help')?.options.some(({ names }) => names.includes('-u')));
});

t.test('no script names what is hidden, expands what it is told, or needs another', async (t) => {
  for (const shell of COMPLETING) {
    const text = completionScript(shell);
    t.notMatch(text, /--handover-fd|'complete'|shell-answer|@\{|undefined/, shell);
    const code = text.replace(/^#.*$/gm, '');
    t.notMatch(code, /\beval\b|compgen -[^f]|\$\{\(e\)|_init_completion|_get_comp_words/, shell);
    t.match(text, /^#.*midclt/, shell);
  }
});
