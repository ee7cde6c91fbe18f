import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { startDaemon } from './support/daemon.js';
import { BINARY, shell } from './support/midclt.js';

const ROOT = path.resolve(__dirname, '..');

/** Who may import whom: only rows further down, and one's own. */
const ROWS: readonly (readonly string[])[] = [
  ['bin', 'lib/index'],
  ['lib/api'],
  ['lib/cli'],
  ['lib/daemon', 'lib/sandbox', 'lib/client'],
  ['lib/compose'],
  ['lib/commands'],
  ['lib/stream', 'lib/middleware'],
  ['lib/request', 'lib/metrics', 'lib/status', 'lib/frame-reader'],
  ['lib/responsive', 'lib/departure', 'lib/insist'],
  ['lib/text', 'lib/scan'],
  [
    'lib/uri',
    'lib/paths',
    'lib/private',
    'lib/pid',
    'lib/members',
    'lib/message-size',
    'lib/request-members',
  ],
  ['lib/ancestors'],
  ['lib/json', 'lib/errors'],
  [
    'lib/extended',
    'lib/logger',
    'lib/alarm',
    'lib/json-text',
    'lib/json-tokens',
    'lib/compiled',
    'lib/shell-word',
  ],
  ['lib/protocol', 'lib/ascii', 'lib/steps', 'lib/timer', 'lib/cancellation', 'lib/version'],
];

function sources(directory: string): string[] {
  return fs
    .readdirSync(path.join(ROOT, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.join(directory, name));
}

function roomOf(file: string): string {
  const name = file.replace(/\.[jt]s$/, '');
  const room = ROWS.flat().find((each) => name === each || name.startsWith(`${each}/`));
  if (room === undefined) throw new Error(`${file} has no room in the test's table`);
  return room;
}

function importsOf(file: string): string[] {
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8');
  return [...text.matchAll(/(?:from|import|require)\s*\(?\s*'(\.[^']+)'/g)].map((found) =>
    path.join(path.dirname(file), found[1] ?? ''),
  );
}

t.test('imports point down only; rooms of one row do not know each other', async (t) => {
  const wrong: string[] = [];
  let seen = 0;
  for (const file of [...sources('bin'), ...sources('lib')]) {
    const from = roomOf(file);
    for (const target of importsOf(file)) {
      if (target === 'package.json') continue;
      seen++;
      const to = roomOf(target);
      const row = (room: string) => ROWS.findIndex((rooms) => rooms.includes(room));
      if (to !== from && row(to) <= row(from)) wrong.push(`${file} imports ${target}`);
    }
  }
  t.same(wrong, []);
  t.ok(seen > 100, 'imports were found');
});

t.test('the sandbox shares no code with what it checks', async (t) => {
  const shared = sources('lib/sandbox').flatMap((file) =>
    importsOf(file).filter((target) => roomOf(target) !== 'lib/sandbox'),
  );
  t.same(shared, []);
});

t.test('the daemon path is bundled with nothing it does not need', async (t) => {
  const meta = JSON.parse(fs.readFileSync(path.join(ROOT, 'dist/meta.json'), 'utf8')) as {
    inputs: Record<string, unknown>;
  };
  const inputs = Object.keys(meta.inputs);
  const packages = new Set(
    inputs.flatMap((input) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? []),
  );
  t.same([...packages].sort(), ['@noble/hashes', 'minimist']);
  const rooms = new Set(inputs.filter((input) => input.endsWith('.ts')).map(roomOf));
  for (const room of ['lib/daemon', 'lib/middleware', 'lib/stream', 'lib/sandbox', 'lib/compose']) {
    t.notOk(rooms.has(room), room);
  }
});

t.test('the daemon path loads no built-in it does not need', async (t) => {
  const daemon = await startDaemon(t);
  const report = path.join(daemon.home, 'report.js');
  fs.writeFileSync(
    report,
    'process.on("exit", () => require("fs").writeSync(2, JSON.stringify(process.moduleLoadList)));',
  );
  const load = (rest: string) =>
    shell(`"${process.execPath}" --require "${report}" ${rest}`, { home: daemon.home });
  const bare = await load(`-e 'require("net"); require("fs")'`);
  const run = await load(`"${BINARY}" -u "${daemon.uri}" -d call core.ping`);
  t.equal(run.stdout, 'pong\n');
  const needed = new Set(JSON.parse(bare.stderr) as string[]);
  const extra = (JSON.parse(run.stderr) as string[]).filter((name) => !needed.has(name));
  const unwanted = /crypto|NativeModule (?:http|https|tls|zlib|stream\/|readline|child_process)/;
  t.same(
    extra.filter((name) => unwanted.test(name)),
    [],
  );
  t.comment(`beyond net and fs: ${extra.join(', ')}`);
  t.ok(extra.length < 15, `${extra.length} modules`);
});

t.test('no file of the program is longer than it should be', async (t) => {
  const long = [...sources('bin'), ...sources('lib')].filter(
    (file) => fs.readFileSync(path.join(ROOT, file), 'utf8').split('\n').length > 300,
  );
  t.same(long, []);
});
