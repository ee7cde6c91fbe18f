/** `midclt/sandbox`, as its users have it: canned answers and faults, and what a client sees of them. */
import fs from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { connect, JsonText, type ConnectOptions, type MidcltError } from '../../../lib/index.js';
import {
  CallError,
  InstanceNotFound,
  ValidationErrors,
  query,
  startSandbox,
  type Sandbox,
  type SandboxOptions,
} from '../../../lib/sandbox/kit/index.js';
import { runScript } from '../../support/api.js';
import { makeHome, until } from '../../support/midclt.js';

async function begin(t: Test, options: SandboxOptions = {}, login: ConnectOptions = {}) {
  const sandbox = await startSandbox(options);
  const nas = await connect({ uri: sandbox.uri, ...login });
  t.teardown(async () => {
    await nas.close();
    await sandbox.close();
  });
  return { sandbox, nas };
}

function failure(promise: PromiseLike<unknown>): Promise<MidcltError> {
  return Promise.resolve(promise).then(
    () => Promise.reject(new Error('it did not fail')),
    (error: unknown) => error as MidcltError,
  );
}

t.test('a canned method answers with its value, or with what its function says', async (t) => {
  const pools = [
    { id: 1, name: 'tank', healthy: true },
    { id: 2, name: 'archive', healthy: false },
  ];
  const { sandbox, nas } = await begin(t, {
    methods: {
      'pool.query': (params) => query(pools, params),
      'pool.get_instance': ([id]: [number]) => {
        const found = pools.find((pool) => pool.id === id);
        if (!found) throw new InstanceNotFound(`Pool ${id} does not exist`);
        return found;
      },
      'alert.list': [],
      'system.general.config': {
        since: new Date(5000),
        ids: new Set([1]),
        big: 2n ** 64n,
        at: 2.5,
      },
      'replication.list': new JsonText('{"ratio": 2.0}'),
      'pool.nothing': () => undefined,
      'pool.echo': (params) => params,
      'pool.late': async (_params, { session, method, signal }) => {
        await delay(1, undefined, { signal });
        return { ...session, method };
      },
    },
  });
  t.same(await nas.call('alert.list'), []);
  t.same(await nas.call('pool.query'), pools);
  const filters = [[['healthy', '=', false]], { get: true, select: ['name'] }];
  t.same(await nas.call('pool.query', filters), { name: 'archive' });
  t.match(await failure(nas.call('pool.query', [[['id', '=', 9]], { get: true }])), {
    code: 'CALL',
    trace: { text: /MatchNotFound/ },
  });
  t.same(await nas.call('pool.get_instance', [2]), pools[1]);
  const missing = await failure(nas.call('pool.get_instance', [9]));
  t.equal(missing.message, '[ENOENT] ALL: Pool 9 does not exist');
  const config =
    '{"since": {"$date": 5000}, "ids": {"$set": [1]}, "big": 18446744073709551616, "at": 2.5}';
  t.equal((await nas.raw.call('system.general.config')).text, config);
  t.equal((await nas.raw.call('replication.list')).text, '{"ratio": 2.0}');
  t.equal(await nas.call('pool.nothing'), null);
  t.same(await nas.call('pool.late'), {
    ...{ username: 'root', isAdmin: true, connection: 1 },
    method: 'pool.late',
  });
  t.match(await nas.call('system.version'), 'TrueNAS-');
  t.match(await failure(nas.call('user.query')), { message: 'Method does not exist' });

  sandbox.calls.length = 0;
  const sent = [1, 1.5, 2n ** 60n, 'é', null, new Date(5000), new Set(['a']), { a: [true] }];
  t.equal((await nas.raw.call('pool.echo', sent)).value({ bigint: true }) instanceof Array, true);
  t.strictSame(sandbox.calls, [{ method: 'pool.echo', params: sent }]);
});

t.test('what a canned method throws is the error of the server', async (t) => {
  const { nas } = await begin(t, {
    methods: {
      'pool.a': () => {
        throw new CallError('No such share', 'ENOENT', { share: 'x' });
      },
      'pool.b': () => {
        throw new ValidationErrors([
          ['pool.name', 'Field required'],
          [null, 'No', 'EBUSY'],
        ]);
      },
      'pool.c': () => {
        throw new RangeError('a mistake of the test');
      },
      'pool.d': () => ({ list: [1, { name: undefined }] }),
      'pool.e': async () => Promise.reject(new CallError('plain')),
    },
  });
  const first = await failure(nas.call('pool.a'));
  t.match(first, { code: 'CALL', message: '[ENOENT] No such share' });
  t.same(first.extra?.value(), { share: 'x' });
  const second = await failure(nas.call('pool.b'));
  t.equal(second.message, '[EINVAL] pool.name: Field required\n[EBUSY] ALL: No');
  const third = await failure(nas.call('pool.c'));
  t.equal(third.message, 'a mistake of the test');
  t.match(third.trace?.text, /kit\.test/, 'and where it was made');
  const wrong = 'the answer of pool.d.list[1].name is undefined';
  t.equal((await failure(nas.call('pool.d'))).message, wrong);
  t.equal((await failure(nas.call('pool.e'))).message, '[EFAULT] plain');
  t.throws(() => new CallError('x', 'ENOSUCH'), RangeError);
});

t.test('a canned job has progress, a result or a failure, and is aborted', async (t) => {
  const ended: string[] = [];
  const { sandbox, nas } = await begin(t, {
    jobs: {
      'pool.scrub': { errors: 0 },
      'pool.export': async (params, { progress, id }) => {
        progress(50, 'half', { step: 1 });
        await delay(20);
        return [params, id];
      },
      'pool.create': async function* () {
        yield 10;
        await delay(20);
        yield { percent: 60, description: 'nearly' };
        return 'made';
      },
      'pool.remove': function* () {
        yield 1;
        throw new CallError('in use', 'EBUSY');
      },
      'pool.endless': function* () {
        try {
          for (let n = 0; ; n++) yield n % 100;
        } finally {
          ended.push('endless');
        }
      },
      'pool.waits': async (_params, { signal }) => delay(60_000, null, { signal }),
    },
  });
  t.same(await nas.job('pool.scrub'), { errors: 0 });
  const [params, id] = (await nas.job('pool.export', ['tank'])) as [unknown, number];
  t.same(params, ['tank']);
  t.type(id, 'number');
  const seen: string[] = [];
  const job = nas.job('pool.create');
  for await (const { percent, description } of job) seen.push(`${percent} ${description}`);
  t.equal(await job, 'made');
  t.ok(seen.includes('10 ') && seen.includes('60 nearly'), seen.join(', '));
  t.equal((await failure(nas.job('pool.remove'))).message, '[EBUSY] in use');
  for (const name of ['pool.endless', 'pool.waits']) {
    const long = nas.job(name);
    for await (const { state } of long) if (state === 'RUNNING') break;
    await long.abort();
    t.match((await failure(long)).message, /aborted/i);
  }
  await until('the generator to be ended', () => ended.length > 0);
  t.same(
    sandbox.calls.map(({ method }) => method),
    ['scrub', 'export', 'create', 'remove', 'endless', 'waits'].map((name) => `pool.${name}`),
  );
});

t.test('files are given and taken, and go wrong', async (t) => {
  const { sandbox, nas } = await begin(t, {
    downloads: {
      'config.save': 'the configuration',
      'filesystem.get': async function* ([name]: [string]) {
        yield name;
        await delay(1);
        yield Buffer.from(' and more');
      },
      'system.debug': () => {
        throw new CallError('disk full', 'ENOSPC');
      },
    },
    uploads: {
      'config.upload': null,
      'filesystem.put': ([name]: [string], { files }) => [name, ...files.map(String)],
    },
  });
  t.equal(await text((await nas.download('config.save')).body), 'the configuration');
  t.equal(await text((await nas.download('filesystem.get', ['/x'])).body), '/x and more');
  const broken = nas.download('system.debug').then(({ body }) => text(body));
  t.match((await failure(broken)).message, /ENOSPC.*disk full/);
  t.equal(await nas.upload('config.upload', [], Buffer.from('x')), null);
  const files = [Buffer.from('one'), Buffer.from('two')];
  t.same(await nas.upload('filesystem.put', ['/x'], files), ['/x', 'one', 'two']);
  sandbox.setFaults({ files: { cutAfter: 3 } });
  t.match(
    await failure(nas.download('config.save').then(({ body }) => text(body))),
    { message: /./ },
    'it is cut',
  );
  sandbox.setFaults({ files: { refuse: 503 } });
  t.match((await failure(nas.download('config.save'))).message, /503/);
  sandbox.setFaults({ files: null });
  t.equal(await text((await nas.download('config.save')).body), 'the configuration');
});

t.test('events reach who has subscribed, also after a lost connection', async (t) => {
  const { sandbox, nas } = await begin(t);
  t.equal(sandbox.emit('alert.list', {}), 0, 'nobody listens');
  const seen: unknown[] = [];
  const loop = (async () => {
    for await (const event of nas.subscribe('alert.list')) {
      seen.push(event.gap ? 'gap' : [event.msg, event.id, event.fields]);
      if (seen.length === 3) return;
    }
  })();
  await sandbox.subscribed('alert.list');
  t.equal(sandbox.emit('alert.list', { level: 'CRITICAL' }, { msg: 'added', id: 'a' }), 1);
  await until('the event', () => seen.length === 1);
  sandbox.drop();
  await until('the gap', () => seen.length === 2);
  await sandbox.subscribed('alert.list');
  sandbox.emit('alert.list', { level: 'INFO' });
  await loop;
  t.same(seen, [
    ['added', 'a', { level: 'CRITICAL' }],
    'gap',
    ['changed', null, { level: 'INFO' }],
  ]);
});

t.test('a subscription that is lost before it is confirmed is made again', async (t) => {
  const { sandbox, nas } = await begin(t);
  const events = nas.subscribe('alert.list');
  const first = events.next();
  await sandbox.subscribed('alert.list');
  sandbox.drop();
  await until('the connection to be gone', () => sandbox.emit('alert.list', {}) === 0);
  await sandbox.subscribed('alert.list');
  sandbox.emit('alert.list', { level: 'INFO' });
  t.match(await first, { value: { gap: false, fields: { level: 'INFO' } } });
  await events.return();
});

t.test('users log in over ws and wss, with a password, a key or a code', async (t) => {
  const apiKey = '1-SomeKeyMaterial';
  const sandbox = await startSandbox({
    ...{ ws: true, wss: true },
    methods: { 'pool.who': (_params, { session }) => session.username },
    users: [
      { username: 'backup', apiKey },
      { username: 'reader', password: 'secret', isAdmin: false },
      { username: 'careful', password: 'secret', otp: '123456' },
    ],
  });
  t.teardown(() => sandbox.close());
  t.equal(sandbox.uris.unix, null);
  t.match(fs.readFileSync(sandbox.certificateFile ?? '', 'utf8'), /BEGIN CERTIFICATE/);
  const logins: ConnectOptions[] = [
    { uri: sandbox.uris.ws, username: 'backup', apiKey },
    { uri: sandbox.uris.wss, insecure: true, username: 'backup', apiKey },
    { uri: sandbox.uri, username: 'reader', password: 'secret' },
    { uri: sandbox.uri, username: 'careful', password: 'secret', otp: '123456' },
  ];
  for (const login of logins) {
    const nas = await connect(login);
    t.equal(await nas.call('pool.who'), login.username);
    await nas.close();
  }
  const wrong = { uri: sandbox.uri, username: 'reader', password: 'wrong' };
  t.match(await failure(connect(wrong)), { code: 'LOGIN' });
});

t.test('faults: drops, stalls, refusals, slow answers, sessions that expire', async (t) => {
  let dropped = 0;
  const { sandbox, nas } = await begin(
    t,
    {
      ws: true,
      methods: {
        'pool.x': 'x',
        'pool.drops': (_params, { drop }) => {
          dropped++;
          drop();
        },
      },
      faults: { latency: 30 },
    },
    { username: 'admin', password: 'password' },
  );
  const since = performance.now();
  t.equal(await nas.call('pool.x'), 'x');
  t.ok(performance.now() - since >= 29, 'it was slow');
  sandbox.setFaults({ latency: 0 });
  t.match(await failure(nas.call('pool.drops')), { code: 'LOST', outcomeUnknown: true });
  t.equal(dropped, 1);
  t.equal(await nas.call('pool.x'), 'x', 'it is connected again');
  sandbox.expireSessions();
  t.equal(await nas.call('pool.x'), 'x', 'it is logged in again');
  sandbox.setFaults({ stall: true });
  t.match(await failure(nas.call('pool.x', [], { timeout: 0.05 })), { code: 'TIMEOUT' });
  sandbox.setFaults({ stall: false, refuse: 503 });
  t.equal(await nas.call('pool.x'), 'x', 'who is connected is not refused');
  const login = { uri: sandbox.uri, username: 'admin', password: 'password' };
  t.match(await failure(connect(login)), { code: 'CONNECT', message: /503/ });
  sandbox.setFaults({ refuse: null });
  const again = await connect(login);
  await again.close();
});

t.test('options that make no sense are refused, and leave nothing behind', async (t) => {
  // A folder of this test's own: in /tmp others make and remove the like at the same time.
  const folder = makeHome(t);
  const { TMPDIR } = process.env;
  t.teardown(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  });
  process.env.TMPDIR = folder;
  const left = () => fs.readdirSync(folder);
  const good = await startSandbox();
  t.equal(left().length, 1, 'one that is started lies there');
  await good.close();
  const wrong: [SandboxOptions, RegExp][] = [
    [{ methods: { 'pool.query': [{ at: undefined }] } }, /pool\.query\[0\]\.at is undefined/],
    [{ methods: { 'pool.query': [new Map()] } }, /pool\.query\[0\] is a Map/],
    [{ methods: { 'a.b': 1 }, jobs: { 'a.b': 1 } }, /jobs: there is a a\.b already/],
    [{ users: [{ username: 'x', apiKey: 'key' }] }, /API key of x/],
    [{ unix: '/nowhere/at/all.sock' }, /ENOENT|EACCES/],
  ];
  for (const [options, message] of wrong) {
    await t.rejects(startSandbox(options), { message });
  }
  t.same(left(), []);
});

t.test('many sandboxes live side by side, and are gone when they are closed', async (t) => {
  const sandboxes = await Promise.all(
    Array.from({ length: 12 }, (_, n) => startSandbox({ methods: { 'pool.n': n } })),
  );
  const own = (sandbox: Sandbox) => path.dirname((sandbox.uris.unix ?? '').slice(10));
  const before = process.listenerCount('exit');
  for (const [n, sandbox] of sandboxes.entries()) {
    t.equal(fs.statSync(own(sandbox)).mode & 0o777, 0o700);
    const nas = await connect({ uri: sandbox.uri });
    t.equal(await nas.call('pool.n'), n);
    await Promise.all([sandbox.close(), sandbox.close(), nas.close()]);
    t.notOk(fs.existsSync(own(sandbox)));
  }
  t.equal(process.listenerCount('exit'), before - 1);
});

t.test('a process ends when its sandbox is closed, whatever is under way', async (t) => {
  const home = makeHome(t);
  const script = `
    import { connect } from 'midclt';
    import { startSandbox } from 'midclt/sandbox';
    const sandbox = await startSandbox({
      jobs: { 'pool.scrub': (params, { signal }) => new Promise((r) => signal.addEventListener('abort', r)) },
      downloads: { 'config.save': 'x'.repeat(8e6) },
      faults: { latency: 1 },
    });
    const nas = await connect({ uri: sandbox.uri });
    nas.job('pool.scrub');
    nas.call('core.ping').catch(() => {});
    const { body } = await nas.download('config.save');
    body.on('error', () => {});
    sandbox.setFaults({ stall: true });
    console.log(sandbox.uri);
    await sandbox[Symbol.asyncDispose]();
    await nas.close();
  `;
  const run = await runScript(script, home);
  t.match(run.stdout, /^ws\+unix:\/\/\S+\n$/);
  t.equal(run.code, 0);
  t.notOk(fs.existsSync(path.dirname(run.stdout.trim().slice(10))));
});

t.test('a process that forgets to close its sandbox leaves no files', async (t) => {
  const script = `
    import { startSandbox } from 'midclt/sandbox';
    console.log((await startSandbox()).uri);
    process.exit();
  `;
  const run = await runScript(script, makeHome(t));
  t.notOk(fs.existsSync(path.dirname(run.stdout.trim().slice(10))));
});

t.test("'midclt' loads nothing of the sandbox", async (t) => {
  const script = `
    const { connect } = require('midclt');
    connect({ uri: 'ws+unix:///none' }).catch(() => {
      console.log(Object.keys(require.cache).filter((name) => name.includes('sandbox')));
      require('midclt/sandbox');
      console.log(Object.keys(require.cache).some((name) => name.includes('sandbox')));
    });
  `;
  const run = await runScript(script, makeHome(t), 'script.cjs');
  t.equal(run.stdout, '[]\ntrue\n');
});
