/** The launcher resolves a profile as the program does, or leaves it to the program. */
import fs from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { eachRow, same, TABLE } from '../support/commands.js';
import { startDaemon } from '../support/daemon.js';
import { boxOf, CONNECTORS, SHELLS } from '../support/launcher.js';
import { launcherAsks, places, programAsks, type Asked } from '../support/launcher-asks.js';
import { midclt } from '../support/midclt.js';
import { noOtherUser, OTHER } from '../support/other-user.js';
import { seededRandom } from '../support/random-json.js';
import { LINES, NAMES, of, randomFile, URIS, USERS, VALUES } from '../support/random-profiles.js';

t.setTimeout(900_000);

t.test('of every file with one thing that is odd', async (t) => {
  const place = await places(t);
  const directory = `${place.home}/.config/midclt`;
  fs.mkdirSync(directory, { recursive: true });
  const first = ['[profile.nas1]', `uri = "${URIS[2]}"`, 'insecure = true'];
  const second = ['[profile.a]', `uri = "${URIS[0]}"`, 'username = "root"'];
  const files = [
    ...LINES.flatMap((line) => [
      [line, ...first, ...second],
      [...first, line, ...second],
      [...first, ...second, line],
    ]),
    ...VALUES.flatMap((value) => [
      [`default = ${value}`, ...first, ...second],
      ['default = "nas1"', `[profile.nas1]`, `uri = ${value}`, ...second],
      ...['username', 'api_key_file', 'insecure', 'plain', 'groups', 'other'].map((key) => [
        ...['default = "nas1"', '[profile.nas1]', `uri = "${URIS[2]}"`, `${key} = ${value}`],
        ...second,
      ]),
    ]),
    [...first, 'api_key_file = "a"', 'password_file = "a"', ...second],
    [...first, 'password_file = "a"', 'api_key_file = "a"', ...second],
  ];
  const count = { own: 0, all: 0 };
  for (const lines of files) {
    const text = lines.map((line) => `${line}\n`).join('');
    fs.writeFileSync(`${directory}/profiles.toml`, text);
    for (const options of [[], ['-p', 'nas1'], ['-p', 'a']]) {
      const shell = SHELLS[count.all++ % SHELLS.length] ?? 'sh';
      const args = [...options, '-d', 'ping'];
      const asked = await launcherAsks(place, shell, args, {});
      if (asked === null) continue;
      count.own++;
      const expected = programAsks(args, { HOME: place.home });
      if (!isDeepStrictEqual(asked, expected)) {
        t.same(asked, expected, JSON.stringify({ shell, args, text }));
      }
    }
  }
  t.ok(count.own > 80, `${count.own} of ${count.all} were the launcher's own`);
});

t.test('of all that can say which profile counts', async (t) => {
  const place = await places(t);
  const directory = `${place.home}/.config/midclt`;
  fs.mkdirSync(directory, { recursive: true });
  const profiles = `[profile.nas1]\nuri = "${URIS[2]}"\n\n[profile.a]\nuri = "${URIS[0]}"\n`;
  const [uri, other] = [URIS[1] ?? '', URIS[3] ?? ''];
  let [own, all] = [0, 0];
  for (const text of [null, profiles, `default = "a"\n\n${profiles}`]) {
    fs.rmSync(`${directory}/profiles.toml`, { force: true });
    if (text !== null) fs.writeFileSync(`${directory}/profiles.toml`, text);
    for (const p of [[], ['-p', 'nas1'], ['-p', 'local']]) {
      for (const u of [[], ['-u', uri], ['-U', 'root']]) {
        for (const MIDCLT_PROFILE of [undefined, 'nas1', 'local']) {
          for (const MIDCLT_URI of [undefined, other]) {
            for (const LISTEN_FDS of [undefined, '1']) {
              const env = { MIDCLT_PROFILE, MIDCLT_URI, MIDCLT_USERNAME: 'admin', LISTEN_FDS };
              const args = [...p, ...u, '-d', 'ping'];
              const shell = SHELLS[all++ % SHELLS.length] ?? 'sh';
              const asked = await launcherAsks(place, shell, args, env);
              if (asked === null) continue;
              own++;
              const expected = programAsks(args, { HOME: place.home, ...env });
              const what = JSON.stringify({ shell, args, env, text });
              if (!isDeepStrictEqual(asked, expected)) t.same(asked, expected, what);
            }
          }
        }
      }
    }
  }
  t.ok(own > 130, `${own} of ${all} were the launcher's own`);
});

const ROUNDS = process.env.MIDCLT_TEST_LONG === '1' ? 30_000 : 400;

t.test('of random files, variables and options', async (t) => {
  const { random, seed } = seededRandom();
  t.comment(`MIDCLT_TEST_SEED=${seed}`);
  const place = await places(t);
  const maybe = (share: number, ...list: readonly string[]) =>
    random() < share ? of(random, list) : undefined;
  const option = (share: number, list: readonly string[], ...words: readonly string[]) => {
    const value = maybe(share, ...list);
    return value === undefined ? [] : [of(random, words), value];
  };
  const names = [
    ...NAMES,
    ...NAMES,
    'local',
    'x'.repeat(65),
    ...['all', 'a,nas1', '@a', 'é', 'no', ''],
  ];
  let own = 0;
  const round = async (number: number) => {
    const home = `${place.home}/round-${number}`;
    const { text, isPlain } = randomFile(random);
    const isInHome = random() < 0.3;
    const config = isInHome ? `${home}/.config` : `${home}/x y`;
    fs.mkdirSync(`${config}/midclt`, { recursive: true });
    if (random() < 0.9) fs.writeFileSync(`${config}/midclt/profiles.toml`, text);
    const env = {
      HOME: random() < 0.05 ? maybe(0.5, '', 'x', '/no') : `${home}${maybe(0.1, '/', '//') ?? ''}`,
      MIDCLT_HOME: `${place.home}/.midclt`,
      XDG_CONFIG_HOME: isInHome
        ? maybe(0.5, '', 'x', '.config')
        : (maybe(0.05, '/no', `${config}/`) ?? config),
      MIDCLT_PROFILE: maybe(0.3, ...names),
      MIDCLT_URI: maybe(0.1, '', ...URIS),
      MIDCLT_USERNAME: maybe(0.2, '', ...USERS),
      LISTEN_FDS: maybe(0.05, '', '1'),
    };
    const profile = option(0.5, names, '-p', '--profile');
    const others = [...option(0.1, URIS, '-u'), ...option(0.1, USERS, '-U')];
    const args = [...profile, ...others, '-d', 'ping'];
    const shell = of(random, SHELLS);
    const what = JSON.stringify({ number, shell, args, env, text });
    const expected = programAsks(args, env);
    const asked = await launcherAsks(place, shell, args, env).catch((error: unknown) => {
      throw new Error(`${String(error)} of ${what}`);
    });
    fs.rmSync(home, { recursive: true });
    if (asked !== null) {
      own++;
      if (!isDeepStrictEqual(asked, expected)) t.same(asked, expected, what);
    } else if (expected !== null && isPlain) {
      const isCombined = profile.length > 0 && others.length > 0;
      const isOdd = env.HOME?.startsWith(home) !== true || profile[1] === '';
      const isChanged = others[0] === '-U';
      if (!isCombined && !isOdd && !isChanged) t.fail(`left to the program: ${what}`);
    }
  };
  const numbers = Array.from({ length: ROUNDS }, (_, i) => i).values();
  const some = async () => {
    for (const number of numbers) await round(number);
  };
  await Promise.all([some(), some(), some()]);
  t.ok(own > ROUNDS / 5, `${own} of ${ROUNDS} were the launcher's own`);
});

t.test('of files and directories that others could write to', { skip: noOtherUser }, async (t) => {
  const place = await places(t);
  const text = `default = "a"\n\n[profile.a]\nuri = "${URIS[0]}"\n`;
  const own = { key: URIS[0] ?? '', insecure: '' };
  // Each may name the directory that XDG_CONFIG_HOME is to be.
  const cases: readonly (readonly [string, Asked, (home: string) => unknown])[] = [
    ['all is one’s own', own, () => undefined],
    ['others can read', own, (home) => fs.chmodSync(`${home}/.config/midclt/profiles.toml`, 0o644)],
    ['a sticky bit', own, (home) => fs.chmodSync(`${home}/.config`, 0o1777)],
    ['group', null, (home) => fs.chmodSync(`${home}/.config/midclt/profiles.toml`, 0o620)],
    ['others', null, (home) => fs.chmodSync(`${home}/.config/midclt/profiles.toml`, 0o602)],
    ['its directory', null, (home) => fs.chmodSync(`${home}/.config/midclt`, 0o770)],
    ['the one above', null, (home) => fs.chmodSync(`${home}/.config`, 0o777)],
    ['another’s', null, (home) => fs.chownSync(`${home}/.config/midclt/profiles.toml`, OTHER, 0)],
    ['another’s directory', null, (home) => fs.chownSync(`${home}/.config/midclt`, OTHER, 0)],
    ['another’s above', null, (home) => fs.chownSync(`${home}/.config`, OTHER, 0)],
    [
      'a link',
      null,
      (home) => {
        fs.renameSync(`${home}/.config/midclt/profiles.toml`, `${home}/file`);
        fs.symlinkSync(`${home}/file`, `${home}/.config/midclt/profiles.toml`);
      },
    ],
    [
      'a link to the directory',
      null,
      (home) => {
        fs.renameSync(`${home}/.config`, `${home}/config`);
        fs.symlinkSync(`${home}/config`, `${home}/.config`);
      },
    ],
    [
      'a directory',
      null,
      (home) => {
        fs.rmSync(`${home}/.config/midclt/profiles.toml`);
        fs.mkdirSync(`${home}/.config/midclt/profiles.toml`);
      },
    ],
    [
      'another’s XDG_CONFIG_HOME',
      own,
      (home) => {
        fs.mkdirSync(`${home}/xdg/midclt`, { recursive: true });
        fs.writeFileSync(`${home}/xdg/midclt/profiles.toml`, text.replaceAll('"a"', '"local"'));
        fs.chownSync(`${home}/xdg`, OTHER, OTHER);
        return `${home}/xdg`;
      },
    ],
    ['another’s HOME', null, (home) => fs.chownSync(home, OTHER, OTHER)],
  ];
  for (const [i, [what, expected, change]] of cases.entries()) {
    const home = `${place.home}/${i}`;
    fs.mkdirSync(`${home}/.config/midclt`, { recursive: true });
    fs.writeFileSync(`${home}/.config/midclt/profiles.toml`, text);
    const config = change(home);
    const xdg = typeof config === 'string' ? { XDG_CONFIG_HOME: config } : {};
    const env = { HOME: home, MIDCLT_HOME: `${place.home}/.midclt`, ...xdg };
    const args = ['-d', 'ping'];
    for (const shell of SHELLS) {
      t.same(await launcherAsks(place, shell, args, env), expected, `${what}, ${shell}`);
    }
    if (expected !== null) t.same(programAsks(args, env), expected, what);
  }
});

t.test('nothing of the table differs with a profile', async (t) => {
  const { home, uri } = await startDaemon(t);
  const box = boxOf(home, CONNECTORS.slice(0, 1));
  const add = ['profile', 'add', 'nas', '-u', uri, '--no-check'];
  t.match(await midclt(add, { home }), { code: 0 });
  await eachRow(async ({ args, stdin }) => {
    const words = ['-p', 'nas', '-d', ...args];
    const input = stdin ?? '';
    const what = JSON.stringify(args.join(' ').slice(0, 60));
    t.same(same(await box.run(words, { input })), same(await midclt(words, { home, input })), what);
  });
  t.ok(box.starts() <= TABLE.length / 2, `${box.starts()} starts of Node`);
  const starts = box.starts();
  const PONG = { code: 0, stdout: 'pong\n', stderr: '' };
  const env = { MIDCLT_PROFILE: 'nas', MIDCLT_URI: 'wss://other' };
  t.match(await box.run(['-d', 'ping'], { env }), PONG, 'by the variable');
  t.match(await midclt(['profile', 'default', 'nas'], { home }), { code: 0 });
  t.match(await box.run(['-d', 'ping']), PONG, 'by default');
  t.equal(box.starts(), starts);
});
