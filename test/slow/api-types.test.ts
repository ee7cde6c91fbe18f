/** The packed package in a consumer's project: its types compile strictly, and both module kinds load it. */
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { surroundings } from '../support/daemon.js';
import { makeHome, midclt, shell } from '../support/midclt.js';
import { ROOT } from '../support/root.js';

const USE = `
async function use(): Promise<void> {
  const client: Client = await Client.connect({ uri: process.env.URI, username: null, callTimeout: 5 });
  const result: JsonText = await client.call('user.query', [[['id', '=', 1n]], { get: true }], {
    timeout: null,
    job: true,
    callback: ({ percent, description, state }) => {
      const shown: [number | null, string | null, string] = [percent, description, state];
      void shown;
    },
  });
  const value: unknown = result.value({ bigint: true });
  void value;
  await client.call('x', { json: '[1]' });
  // @ts-expect-error params are an array or a text
  await client.call('x', 'y');
  // @ts-expect-error there is no such constructor
  new Client();
  const request: DaemonRequest = { command: Command.CALL, method: 'x', kwargs: { job: true } };
  const response = await sendToDaemon(request, null, null, (progress) => progress.percent);
  if (response.type === MessageType.RESULT) response.result.text.toUpperCase();
  else response.error_type.toUpperCase();
  // @ts-expect-error no such command
  await sendToDaemon({ command: 'dance' });
  const done: Promise<void> = runDaemon(client, 600, {
    logFile: '-',
    signals: false,
    abort: AbortSignal.timeout(1),
    onReady: async (file: string | null) => { await Promise.resolve(file); },
  });
  await done;
  const server = new DaemonServer(getDaemonSocketPath(), client, 0, { log: () => undefined });
  await server.shutdown();
  const codes: number[] = [await callViaDaemon({ method: 'x', params: [] }), await pingViaDaemon()];
  const flags: boolean[] = [await stopDaemon(), await isDaemonRunning(), await cleanupStaleFiles()];
  const logger: DaemonLogger = await setupDaemonLogging({ logLevel: 'debug' });
  logger.log('info', 'x', { codes: codes.length, flags: flags.length });
  new ProgressBar(process.stderr).update(1, getDaemonDir() + getDaemonPidPath() + getDaemonIdentifier());
  const limits: null[] = [DAEMON_REQUEST_TIMEOUT, DAEMON_ACCEPT_TIMEOUT];
  const sizes: number[] = [DAEMON_CONNECT_TIMEOUT, SOCKET_RECV_BUFFER_SIZE, SOCKET_PERMISSIONS, ...limits.map(Number)];
  const nas: Connection = await connect({ daemon: true, autostart: false, bigint: true });
  const found: unknown = await nas.call('x', [1, { a: true }], { signal: AbortSignal.timeout(1), timeout: null });
  const text: JsonText = await nas.raw.call('x');
  const job: Job<unknown> = nas.job('x', { json: '[1]' });
  for await (const { percent, state } of job) void [percent, state.length];
  for await (const event of nas.subscribe('x')) if (!event.gap) void [event.msg.length, event.fields];
  const { body, name } = await nas.download('x', [], { buffered: true });
  void [body.readable, name, await nas.upload('x', [], ['/path', { name: 'y', data: body }])];
  void [found, text, await job, await job.id, nas.stream('x')];
  // @ts-expect-error params are an array or a text
  await nas.call('x', 'y');
  try {
    await client.close();
  } catch (error) {
    if (error instanceof MidcltError && error.code === 'CALL') error.extra?.value();
    void sizes;
  }
}
`;

/** With the types of a server: what must compile, each with the very type it has, and what must not. */
const TYPED_USE = `
import { connect, type JsonText, type Job } from 'midclt';
import type { TrueNAS, PoolEntry } from './truenas.js';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function is<A>(): <B>(value: B, ...same: Same<A, B> extends true ? [] : ['another type']) => void;
declare const flag: boolean;
declare const filters: readonly unknown[];

async function use(): Promise<void> {
  const nas = await connect<TrueNAS>();
  is<string>()(await nas.call('system.version'));
  is<string>()(await nas.call('system.version', [], { timeout: 1 }));
  is<'BOOTING' | 'READY' | 'SHUTTING_DOWN'>()(await nas.call('system.state'));
  is<PoolEntry>()(await nas.call('pool.get_instance', [1]));
  is<PoolEntry>()(await nas.call('pool.get_instance', [1n]));
  is<unknown>()(await nas.call('auth.mechanism_choices'));
  is<JsonText>()(await nas.raw.call('pool.get_instance', [1]));

  is<PoolEntry[]>()(await nas.call('pool.query'));
  is<PoolEntry[]>()(await nas.call('pool.query', [filters, { limit: 1, order_by: ['name'] }]));
  is<PoolEntry>()(await nas.call('pool.query', [[['name', '=', 'tank']], { get: true }]));
  is<number>()(await nas.call('pool.query', [[], { count: true }]));
  is<PoolEntry | PoolEntry[]>()(await nas.call('pool.query', [[], { get: flag }]));
  is<PoolEntry | PoolEntry[] | number>()(await nas.call('pool.query', { json: '[]' }));
  is<JsonText>()(await nas.raw.call('pool.query', [[], { get: true }]));

  is<number>()(await nas.call('pool.scrub', [1, 'STOP'])); // the job's id
  is<Job<null>>()(nas.job('pool.scrub', [1]));
  is<null>()(await nas.job('pool.scrub', { json: '[1]' }));
  is<JsonText>()(await nas.raw.job('pool.scrub', [1]));
  const { body } = await nas.download('config.save', [{ secretseed: true }]);
  is<boolean>()(await nas.upload('filesystem.put', ['/mnt/x', { mode: null }], body));
  for await (const event of nas.subscribe('core.get_jobs')) if (!event.gap) is<unknown>()(event.fields);

  const old = await connect<Old.TrueNAS>();
  is<unknown>()(await old.call('system.version'));
  await old.call('test.echo', [1, 'any', { number: true }]);
  for await (const event of old.subscribe('test.ticker:{"interval": 1}')) if (!event.gap) is<unknown>()(event.fields);
  for await (const event of old.subscribe('*')) void event;
  old.subscribe('test.event');
  // @ts-expect-error the server lists its events, and this is none
  old.subscribe('test.evnt');

  // @ts-expect-error no such method
  await nas.call('pool.qery');
  // @ts-expect-error a parameter is missing
  await nas.call('pool.scrub');
  // @ts-expect-error and here
  await nas.call('pool.scrub', []);
  // @ts-expect-error of another type
  await nas.call('pool.scrub', ['1']);
  // @ts-expect-error not one of the words
  await nas.call('pool.scrub', [1, 'GO']);
  // @ts-expect-error too many
  await nas.call('system.version', [1]);
  // @ts-expect-error a mistake in an option's name
  await nas.call('pool.query', [[], { limits: 1 }]);
  // @ts-expect-error undefined can't be sent
  await nas.call('filesystem.put', ['/x', { append: undefined }]);
  // @ts-expect-error a mistake in a member's name
  (await nas.call('pool.get_instance', [1])).nmae;
  // @ts-expect-error it starts no job
  nas.job('system.version');
  // @ts-expect-error it writes no file
  await nas.download('pool.scrub', [1]);
  // @ts-expect-error it reads no file
  nas.upload('config.save', [], '/x');

  const any = await connect();
  is<unknown>()(await any.call('what.ever', [[], { get: true }]));
  is<unknown>()(await any.job('what.ever'));
  is<JsonText>()(await any.raw.call('what.ever', { json: '[]' }));
  for await (const event of any.subscribe('what.ever')) if (!event.gap) is<unknown>()(event.fields);
  await any.upload('what.ever', [], (await any.download('what.ever')).body);
}
void use;
`;

/** The types of servers of two versions, written by the program. */
async function writeServers(t: Test, home: string): Promise<void> {
  const write = async (file: string, version: string) => {
    const { uri } = await surroundings(t, { version });
    const run = await midclt(['-u', uri, 'types', '-o', file], { home });
    t.match(run, { code: 0, stdout: '', stderr: '' });
  };
  await Promise.all([write('truenas.d.ts', '27.0.0'), write('old.d.ts', '24.10.2')]);
}

const TEST = `
import { CallError, InstanceNotFound, ValidationErrors, query, startSandbox } from 'midclt/sandbox';
import type { CannedMethods, Sandbox, Value } from 'midclt/sandbox';

interface Pool { readonly id: number; readonly name: string }
const pools: Pool[] = [{ id: 1, name: 'tank' }];

async function test(): Promise<void> {
  const canned: CannedMethods = { methods: { 'pool.query': (params) => query(pools, params) } };
  const sandbox: Sandbox = await startSandbox({
    ...canned,
    methods: {
      'a.value': pools,
      'a.function': ([name, { deep }]: [string, { deep: boolean }], { session, drop }) => {
        if (deep) drop();
        return name + session.username.toUpperCase();
      },
      'a.late': async (params, { signal }) => { await Promise.resolve(); return [params.length, signal.aborted, 1n]; },
      'a.fails': () => { throw new CallError('x', 'ENOENT', { a: new Date() }); },
      'a.wrong': () => { throw new ValidationErrors([['a', 'b'], [null, 'c', 22]]); },
      'a.gone': () => { throw new InstanceNotFound('x'); },
    },
    jobs: {
      'b.generator': async function* (params, { id }) { yield 10; yield { percent: id, description: String(params[0]) }; return null; },
      'b.function': (_params, { progress }) => { progress(1, 'x'); },
    },
    downloads: { 'c.bytes': Buffer.from('x'), 'c.pieces': function* () { yield 'a'; yield new Uint8Array(1); } },
    uploads: { 'd.sum': (_params, { files }) => files.reduce((sum, file) => sum + file.length, 0) },
    ws: true,
    users: [{ username: 'x', apiKey: '1-y' }],
    faults: { latency: 1, files: { cutAfter: 1 } },
  });
  // @ts-expect-error there is no such fault
  sandbox.setFaults({ slow: 1 });
  // @ts-expect-error an answer is a value
  await startSandbox({ methods: { 'a.b': undefined } });
  // @ts-expect-error a file has bytes
  await startSandbox({ downloads: { 'a.b': 1 } });
  // @ts-expect-error there is no such kind
  sandbox.emit('x', {}, { msg: 'exploded' });
  const value: Value = { a: 1n };
  const count: number = sandbox.emit('x', value, { id: 1 });
  const methods: string[] = sandbox.calls.map(({ method }) => method + String(count));
  void [methods, sandbox.uris.ws?.length, sandbox.certificateFile?.length];
  await sandbox.subscribed('x');
  await sandbox[Symbol.asyncDispose]();
}
void test;
`;

/** A project that has the packed package, and nothing else but the types of Node. */
async function consumer(t: Test, names: readonly string[]): Promise<string> {
  const home = makeHome(t);
  const packed = await shell(
    `cd "${ROOT}" && npm pack --ignore-scripts --silent --pack-destination "${home}" </dev/null`,
    { home },
  );
  t.equal(packed.code, 0, packed.stderr);
  const modules = `${home}/node_modules`;
  fs.mkdirSync(`${modules}/@types`, { recursive: true });
  const unpacked = await shell(
    `tar xzf "${packed.stdout.trim()}" && mv package node_modules/midclt`,
    { home },
  );
  t.equal(unpacked.code, 0, unpacked.stderr);
  const link = (name: string) => {
    fs.mkdirSync(path.dirname(`${modules}/${name}`), { recursive: true });
    fs.symlinkSync(`${ROOT}/node_modules/${name}`, `${modules}/${name}`);
  };
  ['@types/node', 'undici-types'].forEach(link);
  const list = names.join(', ');
  fs.writeFileSync(`${home}/package.json`, '{"private": true}');
  fs.writeFileSync(`${home}/a.mts`, `import { ${list} } from 'midclt';\n${USE}void use;\n`);
  fs.writeFileSync(`${home}/b.cts`, `import { ${list} } from 'midclt';\n${USE}void use;\n`);
  for (const name of ['kit.mts', 'kit.cts']) fs.writeFileSync(`${home}/${name}`, TEST);
  fs.writeFileSync(`${home}/c.cts`, `import midclt = require('midclt');\nvoid midclt.Client;\n`);
  return home;
}

t.test('a consumer compiles strictly, as an ES module and as CommonJS', async (t) => {
  const exported = Object.keys(require(ROOT) as object);
  const types = ['DaemonRequest', 'DaemonLogger', 'Connection', 'Job'];
  const names = [...exported, ...types].filter((name) => USE.includes(name));
  t.same(
    exported.filter((name) => !names.includes(name)),
    [],
    'every export is used',
  );
  const home = await consumer(t, names);
  await writeServers(t, home);
  fs.writeFileSync(`${home}/d.mts`, `import type * as Old from './old.js';${TYPED_USE}`);
  const text = fs.readFileSync(path.join(ROOT, 'docs/API.md'), 'utf8');
  const examples = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ''], index) => {
    fs.writeFileSync(`${home}/example${index}.mts`, code);
    return `example${index}.mts`;
  });
  const typed = ['d.mts', 'kit.mts', 'kit.cts', ...examples];
  for (const kind of ['nodenext', 'node16']) {
    const options = `--strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess --noEmit --target es2022 --types node --module ${kind}`;
    const run = await shell(
      `"${process.execPath}" "${ROOT}/node_modules/typescript/bin/tsc" ${options} a.mts b.cts c.cts ${kind === 'nodenext' ? typed.join(' ') : ''}`,
      { home },
    );
    t.equal(run.stdout, '', kind);
    t.equal(run.code, 0, kind);
  }
});

t.test('the packed package loads by import and by require, without a warning', async (t) => {
  const home = await consumer(t, ['Client']);
  const kit = `startSandbox().then((sandbox) => sandbox.close()).then(() => console.log('closed'));`;
  fs.writeFileSync(`${home}/c.mjs`, `import { startSandbox } from 'midclt/sandbox';\n${kit}`);
  fs.writeFileSync(`${home}/d.cjs`, `const { startSandbox } = require('midclt/sandbox');\n${kit}`);
  for (const file of ['c.mjs', 'd.cjs']) {
    const run = await shell(`"${process.execPath}" ${file} 2>&1`, { home });
    t.equal(run.stdout, 'closed\n', file);
  }
  const use = `Client.connect({ uri: 'ws+unix://${home}/none' }).catch((error) => console.log(error.code));`;
  fs.writeFileSync(`${home}/a.mjs`, `import { Client } from 'midclt';\n${use}`);
  fs.writeFileSync(`${home}/b.cjs`, `const { Client } = require('midclt');\n${use}`);
  for (const file of ['a.mjs', 'b.cjs']) {
    const run = await shell(`"${process.execPath}" ${file} 2>&1`, { home });
    t.equal(run.stdout, 'CONNECT\n', file);
  }
});
