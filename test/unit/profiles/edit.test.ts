/** Profiles are added, removed and chosen, and what a person wrote beside them stays. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { MidcltError } from '../../../lib/errors.js';
import { adding, choosing, editProfiles, removing, type Edit } from '../../../lib/profiles/edit.js';
import { readProfiles } from '../../../lib/profiles/file.js';
import type { Profile } from '../../../lib/profiles/profile.js';
import { noPython, startOracle } from '../../support/python-oracle.js';
import { seededRandom } from '../../support/random-json.js';

const BARE: Profile = {
  ...{ name: 'new', uri: 'wss://new', username: null, apiKeyFile: null, passwordFile: null },
  ...{ caFile: null, insecure: false, plain: false, noChannelBinding: false, groups: [] },
};

function directoryFor(t: Test): string {
  const directory = fs.mkdtempSync('/tmp/m-');
  t.teardown(() => {
    fs.rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** What an edit makes of a file. */
async function edited(t: Test, text: string | null, ...edits: Edit[]): Promise<string> {
  const directory = directoryFor(t);
  const file = `${directory}/profiles.toml`;
  if (text !== null) fs.writeFileSync(file, text, { mode: 0o600 });
  for (const edit of edits) await editProfiles(file, edit);
  t.strictSame(fs.readdirSync(directory), ['profiles.toml'], 'no draft is left');
  t.equal(fs.statSync(file).mode & 0o777, 0o600);
  return fs.readFileSync(file, 'utf8');
}

const FILE = `# mine
default = 'b' # for now

# the first
[profile.a]   # in rack 1
uri = "wss://a"
# about its user
username = "u"

# the second
[ profile . "b.c" ]
uri = "wss://b"
groups = [
  "x",
]

[profile.b]
uri = "wss://c" # its end
`;

t.test('a new one stands at the end', async (t) => {
  const { name, ...rest } = BARE;
  const whole = {
    ...{ ...rest, name: 'a.b', username: 'u"\\', apiKeyFile: '/k', passwordFile: null },
    ...{ insecure: true, plain: true, noChannelBinding: true, groups: ['x', 'y'] },
  };
  t.equal(await edited(t, null, adding(BARE)), `[profile.${name}]\nuri = "wss://new"\n`);
  t.equal(
    await edited(t, FILE, adding(whole)),
    `${FILE}\n[profile."a.b"]\nuri = "wss://new"\nusername = "u\\"\\\\"\napi_key_file = "/k"\n` +
      'insecure = true\nplain = true\nno_channel_binding = true\ngroups = [ "x", "y" ]\n',
  );
  t.equal(
    await edited(t, '# nothing yet', adding(BARE)),
    `# nothing yet\n\n[profile.new]\nuri = "wss://new"\n`,
  );
});

t.test('what is removed takes along what is in its table, and no more', async (t) => {
  const [top = '', first = '', second = '', third = ''] = FILE.split(/^(?=# the|\[profile\.b\])/m);
  t.equal(await edited(t, FILE, removing('a')), `${top}# the first\n\n${second}${third}`);
  t.equal(await edited(t, FILE, removing('b.c')), `${top}${first}# the second\n\n${third}`);
  t.equal(
    await edited(t, FILE, removing('b')),
    `# mine\n\n${first}${second.trimEnd()}\n`,
    'the default with it',
  );
  t.equal(await edited(t, '[profile.new]\nuri = "u"\n', removing('new')), '\n');
});

t.test('the default is chosen, and chosen again, and is none', async (t) => {
  t.equal(await edited(t, FILE, choosing('a')), FILE.replace("'b' #", '"a" #'));
  t.equal(await edited(t, FILE, choosing(null)), FILE.replace("default = 'b' # for now\n", ''));
  const bare = '# mine\n[profile.a]\nuri = "u"\n';
  t.equal(await edited(t, bare, choosing('a')), `default = "a"\n\n${bare}`);
  t.equal(await edited(t, bare, choosing('a'), choosing(null)), bare);
  const inTable = '[profile.a]\nuri = "default = 1"\n';
  t.equal(await edited(t, inTable, choosing('a')), `default = "a"\n\n${inTable}`);
});

t.test('what cannot be changed here stays as it is', async (t) => {
  for (const [what, text, edit] of [
    ['inline', 'profile = {a = {uri = "u"}}\n', adding(BARE)],
    ['inline', 'profile = {a = {uri = "u"}}\n', removing('a')],
    ['inline', '[profile]\na = {uri = "u"}\n', removing('a')],
    ['dotted keys', 'profile.a.uri = "u"\nprofile.b.uri = "v"\n', removing('a')],
    ['dotted in a table', '[profile]\na.uri = "u"\n', removing('a')],
    ['a table in the table', '[profile.a]\nuri = "u"\n[profile.a.more]\nx = 1\n', removing('a')],
    ['a default over lines', 'default = """\na"""\n[profile.a]\nuri = "u"\n', choosing('b')],
    [
      'a header in a text',
      '[profile.a]\nuri = """\n[profile.b]\nx"""\n[profile.b]\nuri="v"\n',
      removing('b'),
    ],
  ] as const) {
    const directory = directoryFor(t);
    const file = `${directory}/profiles.toml`;
    fs.writeFileSync(file, text, { mode: 0o600 });
    await t.rejects(editProfiles(file, edit), { code: 'REQUEST', message: file }, what);
    t.equal(fs.readFileSync(file, 'utf8'), text);
    t.strictSame(fs.readdirSync(directory), ['profiles.toml']);
  }
});

t.test('a name that is taken, an edit that throws, a file that is not believed', async (t) => {
  const file = `${directoryFor(t)}/profiles.toml`;
  fs.writeFileSync(file, FILE, { mode: 0o600 });
  const taken = {
    code: 'REQUEST',
    message: /There is a profile 'a' in .* 'midclt profile remove a' removes it/,
  };
  await t.rejects(editProfiles(file, adding({ ...BARE, name: 'a' })), taken);
  const thrown = () => {
    throw new MidcltError('REQUEST', 'no');
  };
  await t.rejects(editProfiles(file, thrown), { message: 'no' });
  fs.chmodSync(file, 0o666);
  await t.rejects(editProfiles(file, adding(BARE)), { code: 'FILES', message: /Others can write/ });
  t.notOk(fs.existsSync(`${file}.lock`));
  t.equal(fs.readFileSync(file, 'utf8'), FILE);
});

t.test('a link stays one, Windows lines and a byte order mark do no harm', async (t) => {
  const directory = directoryFor(t);
  fs.writeFileSync(`${directory}/kept.toml`, FILE, { mode: 0o600 });
  fs.symlinkSync('kept.toml', `${directory}/profiles.toml`);
  await editProfiles(`${directory}/profiles.toml`, removing('a'));
  t.ok(fs.lstatSync(`${directory}/profiles.toml`).isSymbolicLink());
  t.notMatch(fs.readFileSync(`${directory}/kept.toml`, 'utf8'), 'wss://a');
  const file = `${directory}/windows.toml`;
  fs.writeFileSync(file, `\uFEFF${FILE.replaceAll('\n', '\r\n')}`, { mode: 0o600 });
  for (const edit of [removing('a'), adding(BARE), choosing('new'), removing('b.c')]) {
    await editProfiles(file, edit);
  }
  t.match(readProfiles(file), { default: 'new' });
  t.strictSame([...readProfiles(file).entries.keys()], ['b', 'new']);
});

/** What a file is to say, kept by rules of this test's own: a table with the text it is written as, or a comment. */
type Item = { comment: string } | { name: string; members: Record<string, unknown> };

interface Model {
  default: string | null;
  items: Item[];
}

t.test('random edits do what a model says, and no comment is lost', async (t) => {
  const { random, seed } = seededRandom();
  t.comment(`MIDCLT_TEST_SEED=${seed}`);
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
  const NAMES = ['a', 'b', 'nas-1', 'nas.example', 'a.b', '_x', '1', 'default', 'profile'];
  let comments = 0;
  const comment = () => `# c${comments++} [profile.a] = "`;
  const seen: { text: string; expected: unknown }[] = [];

  /** A file as somebody might have written it, and what it says. */
  const begin = (): { text: string; model: Model } => {
    const names = NAMES.filter(() => random() < 0.5);
    const chosen = random() < 0.5 ? pick(NAMES) : null;
    const items: Item[] = [];
    const lines: string[] = [];
    const maybeComment = () => {
      while (random() < 0.4) {
        items.push({ comment: comment() });
        lines.push((items.at(-1) as { comment: string }).comment, ...(random() < 0.3 ? [''] : []));
      }
    };
    maybeComment();
    if (chosen !== null)
      lines.push(
        `${pick(['default', '"default"', ' default '])}=  ${pick([`"${chosen}"`, `'${chosen}'`])}`,
      );
    for (const name of names) {
      maybeComment();
      const key = name.includes('.') ? `"${name}"` : pick([name, `"${name}"`, `'${name}'`]);
      lines.push(pick([`[profile.${key}]`, `  [ profile . ${key} ]`, `[profile.${key}] # inside`]));
      const members = { uri: `wss://${name}`, ...(random() < 0.5 && { groups: ['x', '[y]'] }) };
      if (random() < 0.3) lines.push('# inside', '');
      if ('groups' in members) lines.push('groups = [', '  "x", # inside', '  "[y]",', ' ]');
      lines.push(`uri = "${members.uri}"`, ...(random() < 0.7 ? [''] : []));
      items.push({ name, members });
    }
    maybeComment();
    return {
      text: `${lines.join('\n')}${pick(['', '\n', '\n\n\n'])}`,
      model: { default: chosen, items },
    };
  };

  const isNamed = (name: string) => (item: Item) => 'name' in item && item.name === name;
  const step = (model: Model): Edit => {
    const name = pick(NAMES);
    const at = model.items.findIndex(isNamed(name));
    if (random() < 0.2) {
      model.default = random() < 0.3 ? null : name;
      return choosing(model.default);
    }
    if (at === -1) {
      model.items.push({ name, members: { uri: 'wss://new', plain: true } });
      return adding({ ...BARE, name, plain: true });
    }
    if (model.default === name) model.default = null;
    // What stands behind the last table is taken for its own.
    const isLast = !model.items.slice(at + 1).some((item) => 'name' in item);
    model.items.splice(at, isLast ? Infinity : 1);
    return removing(name);
  };

  const file = `${directoryFor(t)}/profiles.toml`;
  for (let round = 0; round < 20; round++) {
    const { text: before, model } = begin();
    fs.writeFileSync(file, before, { mode: 0o600 });
    for (let i = 0; i < 8; i++) {
      const edit = step(model);
      await editProfiles(file, edit);
      const text = fs.readFileSync(file, 'utf8');
      const kept = model.items.flatMap((item) => ('comment' in item ? [item.comment] : []));
      const lines = text.split('\n').filter((line) => /^# c\d/.test(line));
      if (lines.join('\n') !== kept.join('\n')) t.strictSame(lines, kept, `of ${before}`);
      const tables = model.items.flatMap((item) =>
        'name' in item ? [[item.name, item.members]] : [],
      );
      const profile = Object.fromEntries(tables) as object;
      seen.push({
        text,
        expected: {
          ...(model.default !== null && { default: model.default }),
          ...(tables.length > 0 && { profile }),
        },
      });
      const names = (list: Iterable<unknown>) => [...list].filter((name) => name !== '1');
      const found = names(readProfiles(file).entries.keys());
      t.strictSame(found, names(tables.map(([name]) => name)), 'in order, but for numbers');
    }
  }
  const texts = seen.map(({ text }) => text);
  const said = noPython ? null : await startOracle(t)('toml', texts);
  if (said === null) t.comment('no python3 with a tomllib');
  else
    t.strictSame(
      said,
      seen.map(({ expected }) => expected),
    );
});
