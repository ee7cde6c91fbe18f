import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { startDaemon, surroundings } from '../support/daemon.js';
import { BINARY, shell } from '../support/midclt.js';
import { ROOT } from '../support/root.js';

/** Who may import whom: only rows further down, and one's own room. */
const ROWS: readonly (readonly string[])[] = [
  ['bin', 'lib/index'],
  ['lib/api'],
  ['lib/cli'],
  ['lib/daemon', 'lib/sandbox'],
  ['lib/login', 'lib/profiles', 'lib/transfer'],
  ['lib/compose'],
  ['lib/commands'],
  ['lib/stream', 'lib/middleware'],
  ['lib/text'],
  ['lib/protocol'],
  ['lib/files'],
  ['lib/errors'],
  ['lib/json'],
  ['lib/cancellation', 'lib/logger', 'lib/steps'],
  ['lib/timer'],
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

t.test('no files import each other in a circle', async (t) => {
  const files = sources('lib');
  // The one door behind which is what the daemon path does not need.
  const imports = (file: string) =>
    importsOf(file)
      .map((target) => target.replace(/\.js$/, '.ts'))
      .filter((target) => files.includes(target) && target !== 'lib/cli/full.ts');
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]) => {
    const before = path.indexOf(file);
    if (before >= 0) circles.push([...path.slice(before), file].join(' → '));
    if (before >= 0 || done.has(file)) return;
    for (const target of imports(file)) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  t.same(circles, []);
});

t.test('few files lie loose in lib', async (t) => {
  const loose = sources('lib').filter((file) => file.split('/').length === 2);
  t.ok(loose.length <= 8, loose.join(', '));
});

t.test('the sandbox shares no code with what it checks', async (t) => {
  const shared = sources('lib/sandbox').flatMap((file) =>
    importsOf(file).filter((target) => roomOf(target) !== 'lib/sandbox'),
  );
  t.same(shared, []);
});

t.test('the daemon path is bundled with nothing it does not need', async (t) => {
  const meta = JSON.parse(fs.readFileSync(path.join(ROOT, 'dist/meta-thin.json'), 'utf8')) as {
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

t.test('the sandbox is a bundle of its own', async (t) => {
  const meta = JSON.parse(fs.readFileSync(path.join(ROOT, 'dist/meta-full.json'), 'utf8')) as {
    inputs: Record<string, unknown>;
  };
  const inputs = Object.keys(meta.inputs).filter((input) => input.includes('sandbox'));
  t.same(inputs, []);
});

/** What modules of Node's own a process has loaded when it ends, and what it has printed. */
async function modulesOf(
  home: string,
  rest: string,
): Promise<{ stdout: string; modules: string[] }> {
  const report = path.join(home, 'report.js');
  fs.writeFileSync(
    report,
    'process.on("exit", () => require("fs").writeSync(2, JSON.stringify(process.moduleLoadList)));',
  );
  const command = `"${process.execPath}" --require "${report}" ${rest}`;
  const { stdout, stderr } = await shell(command, { home });
  return { stdout, modules: JSON.parse(stderr) as string[] };
}

t.test('the daemon path loads no built-in it does not need', async (t) => {
  const { home, uri } = await startDaemon(t);
  const bare = await modulesOf(home, `-e 'require("net"); require("fs")'`);
  const run = await modulesOf(home, `"${BINARY}" -u "${uri}" -d call core.ping`);
  t.equal(run.stdout, 'pong\n');
  const needed = new Set(bare.modules);
  const extra = run.modules.filter((name) => !needed.has(name));
  const unwanted =
    /crypto|NativeModule (?:http|https|tls|zlib|stream\/|readline|child_process|perf_hooks)/;
  t.same(
    extra.filter((name) => unwanted.test(name)),
    [],
  );
  t.comment(`beyond net and fs: ${extra.join(', ')}`);
  t.ok(extra.length < 15, `${extra.length} modules`);
});

t.test('a call over a Unix socket without a daemon loads what a WebSocket needs', async (t) => {
  const { home, uri } = await surroundings(t);
  const modules = '["net", "http", "crypto", "vm", "timers/promises"]';
  // A bundle looks at each property of fs; Node 22 loads what is behind one of them then.
  const look = 'Object.getOwnPropertyDescriptors(require("fs"))';
  const bare = await modulesOf(home, `-e '${modules}.forEach(require); ${look}'`);
  const run = await modulesOf(home, `"${BINARY}" -u "${uri}" call core.ping`);
  t.equal(run.stdout, 'pong\n');
  const needed = new Set(bare.modules);
  t.same(
    run.modules.filter((name) => name.startsWith('NativeModule ') && !needed.has(name)),
    [],
  );
});

t.test('without a daemon a call is bundled with nothing of one', async (t) => {
  const meta = JSON.parse(fs.readFileSync(path.join(ROOT, 'dist/meta-direct.json'), 'utf8')) as {
    inputs: Record<string, unknown>;
  };
  const inputs = Object.keys(meta.inputs);
  t.same(
    inputs.filter((input) => /^lib\/(?:daemon|cli\/batch)\/|\/readable-stream\//.test(input)),
    [],
  );
});

t.test('no file of the program is longer than it should be', async (t) => {
  const long = [...sources('bin'), ...sources('lib')].filter(
    (file) => fs.readFileSync(path.join(ROOT, file), 'utf8').split('\n').length > 300,
  );
  t.same(long, []);
});
