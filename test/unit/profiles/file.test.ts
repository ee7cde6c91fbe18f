/** What a file of profiles says, and which files are not believed. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import t, { type Test } from 'tap';
import { MidcltError } from '../../../lib/errors.js';
import { groupsOf, parseProfiles, profileOf, readProfiles } from '../../../lib/profiles/file.js';
import { namesIn } from '../../../lib/profiles/profile.js';

const FILE = '/home/me/.config/midclt/profiles.toml';

function errorOf(action: () => unknown): MidcltError {
  try {
    action();
  } catch (error) {
    if (error instanceof MidcltError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const one = (members: string) => profileOf(parseProfiles(FILE, `[profile.a]\n${members}`), 'a');

t.test('members and what holds without them', async (t) => {
  t.strictSame(one('uri = "wss://a"'), {
    ...{ name: 'a', uri: 'wss://a', username: null, apiKeyFile: null, passwordFile: null },
    ...{ caFile: null, insecure: false, plain: false, noChannelBinding: false, groups: [] },
  });
  const flags = 'insecure = true\nplain = true\nno_channel_binding = true\ngroups = ["x", "y"]';
  t.match(one(`uri = "a"\nusername = 'u'\n${flags}`), {
    ...{ username: 'u', insecure: true, plain: true, noChannelBinding: true },
    groups: ['x', 'y'],
  });
  const home = process.env.HOME ?? '';
  for (const [value, path] of [
    ['keys/a', '/home/me/.config/midclt/keys/a'],
    ['../a', '/home/me/.config/a'],
    ['/etc/a', '/etc/a'],
    ['~/a', `${home}/a`],
    ['~other/a', '/home/me/.config/midclt/~other/a'],
  ] as const) {
    t.equal(one(`uri = "a"\napi_key_file = "${value}"`).apiKeyFile, path, value);
    t.equal(one(`uri = "a"\npassword_file = "${value}"`).passwordFile, path, value);
  }
});

t.test('however TOML writes it', async (t) => {
  for (const text of [
    '[profile]\na = {uri = "u"}',
    'profile.a.uri = "u"',
    'profile = {a = {uri = "u"}}',
    '[profile."a"]\n"uri" = \'u\'\n',
    '\uFEFF# Windows\r\n[profile.a]\r\nuri = """u"""\r\n',
  ]) {
    t.match(profileOf(parseProfiles(FILE, text), 'a'), { uri: 'u' }, JSON.stringify(text));
  }
  const names =
    '[profile."a.b"]\nuri = "1"\n[profile.__proto__]\nuri = "ws://2"\n[profile.constructor]';
  const odd = parseProfiles(FILE, names);
  t.strictSame([...odd.entries.keys()], ['a.b', '__proto__', 'constructor']);
  t.equal(profileOf(odd, '__proto__').uri, 'ws://2');
  t.equal(({} as { uri?: unknown }).uri, undefined);
});

t.test('what is no such file is told with its place', async (t) => {
  for (const [text, why] of [
    ['[profile.a', /no valid TOML: line 1: /],
    ['[profile.a]\nuri = 5 5', /no valid TOML: line 2: /],
    ['[profile.a]\nuri = "a"\n[profile.a]', /no valid TOML: line 3: /],
    ['colour = 1', /has 'colour' at its top/],
    ['[profiles.a]', /has 'profiles' at its top/],
    ['default = 5', /has a default that is no text/],
    ['profile = "a"', /has a profile without a name/],
    ['[[profile]]', /has a profile without a name/],
    ['[profile]\na = 1979-05-27', /has a profile 'a' that is no table/],
    ['[[profile.a]]', /has a profile 'a' that is no table/],
    ['[profile.all]', /'all' can't be the name of a profile/],
    ['[profile."-a"]', /'-a' can't be the name of a profile/],
    ['[profile."a/../b"]', /can't be the name of a profile/],
    ['[profile.""]', /can't be the name of a profile/],
  ] as const) {
    const { code, message } = errorOf(() => parseProfiles(FILE, text));
    t.equal(code, 'REQUEST', text);
    t.match(message, why);
    t.notMatch(message, '\n');
  }
});

t.test('a member that is none, and a value that fits no member', async (t) => {
  for (const [members, why] of [
    ['', /has no 'uri' in \[profile\.a\]/],
    ['uri = ""', /has a 'uri' that is not a text/],
    ['uri = 5', /has a 'uri' that is not a text/],
    ['uri = "a\\u001b[2J"', /has a 'uri' that is not a text/],
    ['uri = "a"\npassword = "geheim"', /has an unknown 'password' \(uri, username, /],
    ['uri = "a"\napi_key = "1-geheim"', /has an unknown 'api_key'/],
    ['uri = "a"\ntoString = "x"', /has an unknown 'toString'/],
    ['uri = "a"\n__proto__ = {insecure = true}', /has an unknown '__proto__'/],
    ['uri = "a"\napi_key_file = ["x"]', /has a 'api_key_file' that is not the path of a file/],
    ['uri = "a"\ninsecure = "yes"', /has a 'insecure' that is not true or false/],
    ['uri = "a"\ngroups = "x"', /has a 'groups' that is not a list of texts/],
    ['uri = "a"\ngroups = [1]', /has a 'groups' that is not a list of texts/],
    ['uri = "a"\napi_key_file = "x"\npassword_file = "y"', /of which one can be/],
    ['uri = "a"\n[profile.a.more]', /has an unknown 'more'/],
  ] as const) {
    const { code, message } = errorOf(() => one(members));
    t.equal(code, 'REQUEST', members);
    t.match(message, why);
    t.notMatch(message, 'geheim', 'a secret that should not be there is not repeated');
  }
  const many = Array.from({ length: 12 }, (_, i) => `[profile.n${i}]`).join('\n');
  t.match(
    errorOf(() => profileOf(parseProfiles(FILE, many), 'x')).message,
    /, n9, and 2 more, and local$/,
  );
  t.match(
    errorOf(() => profileOf(parseProfiles(FILE, ''), 'x')).message,
    /'midclt login x' makes it$/,
  );
});

t.test('a defect in one profile is none of the others', async (t) => {
  const profiles = parseProfiles(FILE, '[profile.a]\nuri = "a"\n[profile.b]\nuri = 5\n');
  t.equal(profileOf(profiles, 'a').uri, 'wss://a/api/current', 'the URI that is meant');
  t.match(errorOf(() => groupsOf(profiles)).message, /in \[profile\.b\]/);
});

t.test('groups and lists stand for names in their order, each once', async (t) => {
  const entry = (name: string, groups: string) =>
    `[profile.${name}]\nuri = "u"\ngroups = [${groups}]\n`;
  const text = entry('c', '"x"') + entry('a', '"y", "x"') + entry('b', '');
  const groups = groupsOf(parseProfiles(FILE, text));
  t.strictSame(namesIn('all', groups), ['c', 'a', 'b']);
  t.strictSame(namesIn('@x', groups), ['c', 'a']);
  t.strictSame(namesIn('b, @x,c,', groups), ['b', 'c', 'a']);
  t.match(errorOf(() => namesIn('@z', groups)).message, /No profile is in the group 'z'/);
  t.match(errorOf(() => namesIn(',', groups)).message, /',' names none/);
});

function place(t: Test, text: string | null = '[profile.a]\nuri = "a"\n'): string {
  const directory = fs.mkdtempSync('/tmp/m-');
  t.teardown(() => {
    fs.rmSync(directory, { recursive: true, force: true });
  });
  const file = `${directory}/profiles.toml`;
  if (text !== null) fs.writeFileSync(file, text, { mode: 0o600 });
  return file;
}

function refused(t: Test, file: string, why: RegExp): void {
  const { code, message } = errorOf(() => readProfiles(file));
  t.equal(code, 'FILES');
  t.match(message, why);
}

t.test('a file is read that is there, or that a link of one leads to', async (t) => {
  t.match(readProfiles(place(t, null)), { text: '', default: null, entries: new Map() });
  t.match(readProfiles('/nowhere/at/all'), { entries: new Map() });
  const file = place(t);
  t.equal(readProfiles(file).entries.size, 1);
  fs.chmodSync(file, 0o644);
  t.equal(readProfiles(file).entries.size, 1, 'there is no secret in it');
  fs.symlinkSync(file, `${file}.link`);
  t.equal(readProfiles(`${file}.link`).entries.size, 1);
  fs.symlinkSync('nothing', `${file}.dangling`);
  refused(t, `${file}.dangling`, /no such file or directory \(ENOENT\)/);
});

t.test('a file that others could have written is refused', async (t) => {
  const file = place(t);
  for (const mode of [0o620, 0o602, 0o666]) {
    fs.chmodSync(file, mode);
    refused(
      t,
      file,
      /Others can write to .*, and so could have your logins sent to them; 'chmod 600 \//,
    );
  }
  fs.chmodSync(file, 0o600);
  fs.mkdirSync(`${file}.d`);
  fs.chmodSync(`${file}.d`, 0o777);
  fs.copyFileSync(file, `${file}.d/f`);
  refused(t, `${file}.d/f`, /Others can write to .*\.d \(mode 0777\) .*could replace/);
  fs.symlinkSync(`${file}.d/f`, `${file}.link`);
  refused(t, `${file}.link`, /Others can write to .*\.d/);
});

t.test(
  "~ is not what another user's HOME says",
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async (t) => {
    const { HOME } = process.env;
    t.teardown(() => (process.env.HOME = HOME));
    const theirs = t.testdir();
    fs.chownSync(theirs, 1234, 1234);
    process.env.HOME = theirs;
    t.equal(one('uri = "a"\napi_key_file = "~/a"').apiKeyFile, `${os.userInfo().homedir}/a`);
  },
);

t.test(
  "another user's file is refused",
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async (t) => {
    const file = place(t);
    fs.chownSync(file, 1234, 1234);
    refused(t, file, /belongs to user 1234, not to you \(0\)/);
    fs.symlinkSync(file, `${file}.link`);
    refused(t, `${file}.link`, /belongs to user 1234/);
    const theirs = place(t);
    fs.chownSync(theirs.replace(/\/[^/]*$/, ''), 1234, 1234);
    refused(t, theirs, /belongs to user 1234, who so could replace/);
  },
);

t.test('what is no file, and what is too much of one', async (t) => {
  const directory = place(t, null);
  fs.mkdirSync(directory);
  refused(t, directory, /is no regular file/);
  const pipe = place(t, null);
  t.equal(spawnSync('mkfifo', ['-m', '600', pipe]).status, 0);
  refused(t, pipe, /is no regular file/);
  refused(t, place(t, '#'.repeat(5 * 1024 * 1024)), /is too long for a file of profiles/);
  const lines = '# a comment of some length that says nothing\n'.repeat(80_000);
  t.equal(readProfiles(place(t, `${lines}[profile.a]\nuri = "a"\n`)).entries.size, 1);
});
