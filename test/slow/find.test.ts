/** `methods`, `describe` and `events`, and what leads to them: over both wires, with a daemon and without one. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import type { SandboxOptions } from '../../lib/sandbox/index.js';
import { startDaemon, surroundings, type Surroundings } from '../support/daemon.js';
import { startHostileServer } from '../support/hostile-server.js';
import { makeHome, midclt, missing, type Finished, type RunOptions } from '../support/midclt.js';
import { onTerminal, punctual } from '../support/terminal.js';

t.jobs = 4; // they wait, side by side

interface Way extends Surroundings {
  readonly run: (args: readonly string[], options?: Partial<RunOptions>) => Promise<Finished>;
  /** How often the server was asked for all of its methods. */
  readonly asked: () => number;
  readonly cacheFile: () => string;
}

async function onTheWay(
  t: Test,
  way: '-d' | '',
  { wire = '', ...options }: Partial<SandboxOptions> & { wire?: string } = {},
): Promise<Way> {
  const around = await surroundings(t, options);
  const uri = `${around.uri}${wire}`;
  if (way === '-d') await startDaemon(t, { around, uri });
  const { home, sandbox } = around;
  const directory = `${home}/.midclt`;
  return {
    ...around,
    uri,
    run: (args, more = {}) =>
      midclt(['-u', uri, ...(way ? [way] : []), ...args], { home, ...more }),
    asked: () => sandbox.countOf('core.get_methods'),
    cacheFile: () => {
      const found = fs.readdirSync(directory).filter((name) => name.includes('.methods'));
      t.equal(found.length, 1, `one file: ${found.join(' ')}`);
      return `${directory}/${found[0] ?? ''}`;
    },
  };
}

const WAYS = [
  ['through a daemon', '-d', ''],
  ['without a daemon, legacy', '', ':/websocket'],
] as const;
const OTHER_WAYS = [
  ['without a daemon', '', ''],
  ['through a daemon, legacy', '-d', ':/websocket'],
] as const;

for (const [how, way, wire] of WAYS) {
  t.test(`${how}: methods are listed and described, of one answer`, async (t) => {
    const { run, asked, cacheFile } = await onTheWay(t, way, { wire });
    const all = await run(['methods']);
    t.match(all, { code: 0, stderr: '' });
    t.match(
      all.stdout,
      /^METHOD +KIND +DESCRIPTION\napi_key\.create +- +Make an API key\n[^]*\nauth\.generate_token +-\n/,
    );
    t.match(
      all.stdout,
      /\nconfig\.save +job,download +Create a tar file of security-sensitive info/,
    );
    t.match(all.stdout, /\nfilesystem\.put +job,upload +Job to put contents to a file\n/);
    t.notMatch(all.stdout, 'int_private');
    t.equal(asked(), 1);
    const file = cacheFile();
    t.equal(fs.statSync(file).mode & 0o777, 0o600);

    const names = (text: string) =>
      text
        .split('\n')
        .slice(1, -1)
        .map((line) => line.split(' ')[0]);
    t.same(names((await run(['methods', 'POOL.S'])).stdout), ['pool.scrub']);
    t.same(names((await run(['methods', 'pool.?uery'])).stdout), ['pool.query']);
    t.same(names((await run(['methods', 'host name'])).stdout), ['system.hostname']);
    t.match(await run(['methods', 'nothing of the kind']), {
      code: 1,
      stdout: '',
      stderr: 'The server tells of no method that matches nothing of the kind\n',
    });
    t.same(JSON.parse((await run(['methods', '--json', 'config.s'])).stdout), [
      {
        ...{ name: 'config.save', job: true, downloadable: true, uploadable: false },
        description: 'Create a tar file of security-sensitive information',
      },
    ]);
    t.match(await run(['methods', '--json', 'zzz']), { code: 0, stdout: '[]\n', stderr: '' });

    const described = await run(['describe', 'pool.scrub']);
    t.match(described, { code: 0, stderr: '' });
    t.match(described.stdout, /^pool\.scrub\n\nStart, pause or stop a scrub of a pool\. A /);
    t.match(described.stdout, '\n  action: "START", "STOP" or "PAUSE", default "START"\n');
    const example = new RegExp(
      `\\n {2}midclt -u \\S+ ${way ? '-d ' : ''}call -j pool\\.scrub 1\\n$`,
    );
    t.match(described.stdout, example);
    const entry = JSON.parse((await run(['describe', '--json', 'user.query'])).stdout) as object;
    t.match(entry, { filterable: true, accepts: [{ _name_: 'filters' }, { _name_: 'options' }] });
    const kept = fs.readFileSync(file);
    const bytes = (await run(['describe', 'user.query', '--json'])).stdout;
    t.ok(kept.includes(`"user.query": ${bytes.trimEnd()}`), "the server's own bytes");

    t.match(await run(['describe', 'pool.scrup']), {
      code: 1,
      stdout: '',
      stderr:
        'The server tells of no method pool.scrup, or this user may not call it. Did you mean pool.scrub?\n',
    });
    t.match(
      (await run(['describe', 'pool.nosuchthing'])).stderr,
      /'midclt .* methods pool\.' lists/,
    );
    t.match(
      (await run(['describe', 'nosuch.thing'])).stderr,
      / methods' lists the methods that there/,
    );
    t.equal(asked(), 1, 'the server was asked once');
    t.match(await run(['methods', '--refresh', 'ping']), { code: 0, stdout: /core\.ping/ });
    t.equal(asked(), 2, 'but for who wants it anew');
  });
}

for (const [how, way, wire] of OTHER_WAYS) {
  t.test(`${how} it is the same`, async (t) => {
    const { run, asked } = await onTheWay(t, way, { wire });
    t.match(
      (await run(['methods', 'pool.scrub'])).stdout,
      /\npool\.scrub +job +Start, pause or stop/,
    );
    t.match((await run(['describe', 'pool.scrub'])).stdout, 'call -j pool.scrub 1\n');
    t.equal(asked(), 1);
  });
}

t.test('what is cached is of one version and user, and whole', async (t) => {
  const { run, asked, cacheFile, sandbox } = await onTheWay(t, '-d');
  const change = (from: string | RegExp, to: string) => {
    const text = fs.readFileSync(cacheFile(), 'latin1');
    t.not(text.replace(from, to), text);
    fs.writeFileSync(cacheFile(), text.replace(from, to), 'latin1');
  };
  const isAsked = async (what: string) => {
    const before = asked();
    t.match(await run(['describe', 'core.ping']), { code: 0, stdout: /pong/ }, what);
    return asked() > before;
  };
  t.equal(await isAsked('nothing is cached'), true);
  t.equal(await isAsked('it is'), false);
  change('27.0.0', '27.0.1');
  t.equal(await isAsked('another version'), true);
  change('"user":"root"', '"user":"toor"');
  t.equal(await isAsked('another user'), true);
  change('with \\"pong', 'with \\xpong');
  t.equal(await isAsked('a broken entry'), true);
  fs.writeFileSync(cacheFile(), Buffer.alloc(100_000, 0xff));
  t.equal(await isAsked('garbage'), true);
  t.equal(await isAsked('which is replaced'), false);
  t.equal(sandbox.stats.connections, 1);
});

t.test('without a daemon it is believed for ten minutes, of the same login', async (t) => {
  const { run, asked, cacheFile, sandbox, home } = await onTheWay(t, '', { ws: 0 });
  t.match(await run(['describe', 'core.ping']), { code: 0 });
  const connections = () => sandbox.stats.connections;
  t.equal(connections(), 1);
  t.match(await run(['methods']), { code: 0 });
  t.equal(connections(), 1, 'no connection is made');
  const old = new Date(Date.now() - 11 * 60 * 1000);
  fs.utimesSync(cacheFile(), old, old);
  t.match(await run(['methods']), { code: 0 });
  t.equal(connections(), 2, 'the server is asked for its version');
  t.match(await run(['methods']), { code: 0 });
  t.equal(connections(), 2, 'which is good for ten more');
  t.equal(asked(), 1);

  const uri = `ws://127.0.0.1:${sandbox.wsPort ?? 0}/api/current`;
  const as = (user: string) =>
    midclt(['-u', uri, '-U', user, '-P', `${user}-pw`, 'methods', 'pool'], { home });
  t.match((await as('admin')).stdout, 'pool.scrub');
  const reader = await as('reader');
  t.match(reader, { code: 0, stdout: /pool\.query/ });
  t.notMatch(reader.stdout, 'pool.scrub', 'which that user may not call');
  t.match((await as('admin')).stdout, 'pool.scrub');
});

t.test('events are listed as long as the server does', async (t) => {
  const old = await onTheWay(t, '-d', { version: '25.10.1' });
  const listed = await old.run(['events']);
  t.match(listed, { code: 0, stderr: '' });
  t.match(
    listed.stdout,
    /^EVENT +DESCRIPTION\nauth\.sessions +Notification of new and removed sess/,
  );
  t.match(
    (await old.run(['events', 'job'])).stdout,
    /^EVENT.*\ncore\.get_jobs +Updates on job changes\n$/,
  );
  t.match(JSON.parse((await old.run(['events', '--json', 'core.*'])).stdout), {
    'core.get_jobs': { description: 'Updates on job changes.', wildcard_subscription: true },
  });
  t.same(JSON.parse((await old.run(['events', '--json', 'zz'])).stdout), {});
  t.match(await old.run(['events', 'zz']), { code: 1, stderr: /no event that matches zz\n$/ });
  for (const [way, wire] of [
    ['-d', ''],
    ['', ':/websocket'],
  ] as const) {
    const { run } = await onTheWay(t, way, { wire });
    t.match(await run(['events']), {
      code: 1,
      stdout: '',
      stderr: /^This server has no list of its events .* '.* methods \.query' lists those\n$/,
    });
  }
});

t.test('a server of 24.10 tells less, and that is said', async (t) => {
  const { run } = await onTheWay(t, '', { version: '24.10.2', scram: false });
  const { stdout } = await run(['describe', 'pool.query']);
  t.match(stdout, '\n      count: boolean, default false\n');
  t.match(stdout, '\nResult: this server does not tell\n');
  t.match(
    stdout,
    /\n {2}# Get all pools that are healthy\n {2}midclt .* call pool\.query '\[\["healthy",/,
  );
  t.match((await run(['describe', 'test.echo'])).stdout, 'Arguments: this server does not tell\n');
});

t.test('whatever a server answers, it does no harm', async (t) => {
  const home = makeHome(t);
  let methods = 'null';
  const server = await startHostileServer(t, {
    onRequest: (victim, { id, method }) => {
      const stamps: Record<string, string> = {
        'system.version': '"TrueNAS-1\\n\\t"',
        'auth.me': '{"pw_name": "root"}',
      };
      victim.answer(id, stamps[method] ?? methods);
    },
  });
  const run = (...args: string[]) => midclt(['-u', server.uris.jsonrpc, ...args], { home });
  for (methods of ['null', '[]', '5', '"x"', '[{"core.ping": {}}]']) {
    const stderr = 'Error: The server answered with no list of its methods\n';
    t.match(await run('methods'), { code: 1, stdout: '', stderr }, methods);
  }
  t.match(await run('events'), { code: 1, stderr: /no list of its events\n$/ });
  methods = '{"a.b": 1, "a\\tb\\nc": {}, "\\u001b[31m": {}, "": {}, "x.y": {}, "x.y": {"job": 1}}';
  t.match(await run('methods'), { code: 0, stdout: /^METHOD .*\nx\.y {5}-\n$/ });
  methods = `{"x.y": {"description": "${'a\\u001b]0;title\\u0007\\u009b31m '.repeat(100)}", "job": true}}`;
  t.equal((await run('methods')).stdout.split('\n').length, 3, 'what is cached is believed');
  const refreshed = await run('methods', '--refresh');
  t.match(refreshed, { code: 0, stdout: /\nx\.y {5}job {3}a a a / });
  const described = await run('describe', 'x.y');
  t.match(described, { code: 0, stdout: /^x\.y\n\na a a / });
  for (const { stdout } of [refreshed, described]) t.notMatch(stdout, /\x1b|\x07|\x9b/); // eslint-disable-line no-control-regex
  const entry = `{"accepts": [${'{"anyOf": ['.repeat(20_000)}${']}'.repeat(20_000)}]}`;
  methods = `{${Array.from({ length: 200 }, (_, i) => `"m.m${i}": ${entry}`).join(',')}}`;
  t.match(await run('describe', '--refresh', 'm.m199'), { code: 0, stdout: /argument 1: …\n/ });
  t.equal((await run('describe', '--json', 'm.m7')).stdout, `${entry}\n`);
});

t.test('MIDCLT_USE_DAEMON has them go through the daemon', async (t) => {
  const { sandbox, home, uri } = await onTheWay(t, '-d');
  const env = { MIDCLT_USE_DAEMON: '1' };
  for (const args of [['methods'], ['describe', 'core.ping'], ['events']])
    await midclt(['-u', uri, ...args], { home, env });
  t.equal(sandbox.stats.connections, 1);
});

t.test('help behind a method leads to its description', async (t) => {
  const { home } = await surroundings(t);
  const help = await midclt(['call', '--help'], { home });
  for (const word of ['--help', '-h']) {
    t.match(await midclt(['call', 'pool.scrub', word], { home }), {
      code: 0,
      stdout: `${help.stdout}\n'midclt describe pool.scrub' tells what the method takes and returns\n`,
      stderr: '',
    });
  }
  t.match((await midclt(['download', "a'b", '-h'], { home })).stdout, /describe a\\'b' tells/);
  t.notMatch((await midclt(['subscribe', 'x', '-h'], { home })).stdout, 'describe');
});

const skip = missing('script', 'stty');
t.test('a terminal is told of names that are near, if they are known', { skip }, async (t) => {
  for (const way of ['-d', ''] as const) {
    const { run, uri, home, sandbox } = await onTheWay(t, way);
    const screen = async (command: string) => {
      const terminal = onTerminal(t, command, { home, columns: 200, env: { URI: uri } });
      await terminal.finished;
      return punctual(terminal.screen.lines);
    };
    const call = `midclt -u "$URI" ${way} call`;
    const lines = await screen(`${call} pool.scrup`);
    t.equal(lines[0], 'Method does not exist: pool.scrup');
    t.match(lines[1], /^'midclt .* methods pool\.' lists the methods that there are$/);
    await run(['methods']);
    const calls = sandbox.countOf('core.get_methods');
    t.same(await screen(`${call} pool.scrup`), [
      'Method does not exist: pool.scrup',
      'Did you mean pool.scrub?',
    ]);
    t.same(await screen(`${call} test.it`), [
      'Method does not exist: test.it',
      'Did you mean test.int, test.big or test.emit?',
    ]);
    t.same(await screen(`${call} -q pool.scrup`), []);
    t.equal(sandbox.countOf('core.get_methods'), calls, 'nobody was asked');
    t.match(await run(['call', 'pool.scrup']), { code: 1, stderr: 'Method does not exist\n' });
  }
});

t.test('a table is as wide as the terminal', { skip }, async (t) => {
  const { uri, home } = await onTheWay(t, '-d');
  const command = 'midclt -u "$URI" -d methods config; midclt -u "$URI" -d describe pool.query';
  const terminal = onTerminal(t, command, { home, columns: 50, env: { URI: uri } });
  t.equal(await terminal.finished, 0);
  const { lines } = terminal.screen;
  t.match(lines[1], /^config\.save {4}job,download {2}Create a tar f.*…$/);
  const prose = lines.filter((line) => !line.includes('midclt -u'));
  t.ok(prose.every((line) => line.length <= 50));
});
