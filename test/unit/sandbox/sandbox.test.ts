import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as http from 'node:http';
import * as net from 'node:net';
import * as path from 'node:path';
import t, { type Test as TapTest } from 'tap';
import { WebSocket, type ClientOptions } from 'ws';
import { startSandbox, type Sandbox, type SandboxOptions } from '../../../lib/sandbox/index.js';
import { Jobs } from '../../../lib/sandbox/jobs.js';
import { RateLimiter } from '../../../lib/sandbox/middleware.js';
import { dump } from '../../../lib/sandbox/python/values.js';
import { parse } from '../../../lib/sandbox/python/json.js';
import { Session } from '../../../lib/sandbox/session.js';
import { rpc } from '../../../lib/sandbox/wire/dialects.js';

/** What the tests look at in a message; the rest is in test/unit/sandbox/wire/recorded.test.ts. */
interface Message {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
  readonly method?: string;
  readonly params?: {
    readonly msg: string;
    readonly id: number;
    readonly fields: {
      readonly id: number;
      readonly state: string;
      readonly message_ids: unknown[];
      readonly progress: { readonly percent: number };
    };
  };
}

/** A bare client: texts out, frames in. */
class Client {
  readonly frames: string[] = [];
  readonly closed: Promise<string>;
  private readonly arrivals = new Set<() => void>();

  private raw: net.Socket | null = null;

  private constructor(readonly socket: WebSocket) {
    socket.once('upgrade', (response) => {
      this.raw = response.socket;
    });
    socket.on('message', (data: Buffer) => {
      this.frames.push(data.toString());
      for (const arrival of this.arrivals) arrival();
    });
    this.closed = new Promise((resolve) => {
      socket.on('error', () => undefined);
      socket.on('close', (code, reason) => {
        resolve(`${code} ${reason.toString()}`.trimEnd());
      });
    });
  }

  static async open(url: string, options: ClientOptions = {}): Promise<Client> {
    const client = new Client(new WebSocket(url, { perMessageDeflate: false, ...options }));
    await new Promise((resolve, reject) =>
      client.socket.once('open', resolve).once('error', reject),
    );
    return client;
  }

  get messages(): Message[] {
    return this.frames.map((frame) => JSON.parse(frame) as Message);
  }

  send(method: string, params: unknown[] = [], id: unknown = method): void {
    this.socket.send(JSON.stringify({ jsonrpc: '2.0', method, params, id }));
  }

  /** What `sends` sends arrives in one piece. */
  together(sends: () => void): void {
    this.raw?.cork();
    sends();
    this.raw?.uncork();
  }

  /** The first message that fits, once it is there. */
  async find(fits: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const found = this.messages.find(fits);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.arrivals.add(resolve));
    }
  }

  async call(method: string, params: unknown[] = [], id: unknown = method): Promise<Message> {
    this.send(method, params, id);
    return this.find((message) => message.id === id);
  }

  login(name: string): Promise<Message> {
    return this.call('auth.login', [name, `${name}-pw`], 'login');
  }
}

interface Surroundings {
  readonly sandbox: Sandbox;
  readonly unix: () => Promise<Client>;
  readonly tcp: (options?: ClientOptions) => Promise<Client>;
  readonly base: string;
}

function temporary(test: TapTest): string {
  const directory = fs.mkdtempSync('/tmp/m-');
  test.teardown(() => {
    fs.rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

async function start(test: TapTest, options: SandboxOptions = {}): Promise<Surroundings> {
  const directory = temporary(test);
  const sandbox = await startSandbox({
    unix: path.join(directory, 's'),
    ws: 0,
    failedLoginDelayMs: 0,
    rateLimit: false,
    ...options,
  });
  test.teardown(() => sandbox.close());
  const base = `127.0.0.1:${sandbox.wsPort ?? 0}`;
  return {
    sandbox,
    base,
    unix: () => Client.open(`ws+unix:${sandbox.unixPath ?? ''}:/api/current`),
    tcp: (client) => Client.open(`ws://${base}/api/current`, client),
  };
}

/** A call of exactly `size` characters. */
function padded(size: number, method: string, filler = 'x'): string {
  const empty = JSON.stringify({ jsonrpc: '2.0', method, params: [''], id: 1 });
  return empty.replace('""', `"${filler.repeat(size - empty.length)}"`);
}

const LARGE = 'filesystem.file_receive';
const ANONYMOUS = '1007 Anonymous connection max message length is 8 kB';
const TOO_LONG = '1009 Max message length is 64 kB';

t.test('messages up to the limits are answered', async (test) => {
  const { unix, tcp } = await start(test);
  const stranger = await tcp();
  stranger.socket.send(padded(8192, 'test.echo'));
  test.match(await stranger.find(({ id }) => id === 1), { error: { code: -32001 } });
  const root = await unix();
  root.socket.send(padded(65536, 'test.echo'));
  const { result } = await root.find(({ id }) => id === 1);
  test.match(result, ['x'.repeat(65536 - 60)], 'the arguments come back as a list');
  const wide = await unix();
  wide.socket.send(padded(65536, 'test.echo', 'ž'));
  await wide.find(({ id }) => id === 1);
  const astral = await unix();
  const emoji = padded(60_000, 'test.echo').replace(/x{50000}/, '😀'.repeat(50_000));
  test.ok(emoji.length > 65536, 'two UTF-16 units are one character');
  astral.socket.send(emoji);
  await astral.find(({ id }) => id === 1);
  const large = await unix();
  large.socket.send(padded(2097152, LARGE));
  test.match(await large.find(({ id }) => id === 1), { error: { code: -32601 } });
});

t.test('messages beyond the limits close the connection', async (test) => {
  const { unix, tcp } = await start(test);
  const cases: [string, Client, string | Buffer, string][] = [
    ['8193 characters before a login', await tcp(), padded(8193, 'test.echo'), ANONYMOUS],
    ['65537 characters', await unix(), padded(65537, 'test.echo'), TOO_LONG],
    ['65537 characters that are no JSON', await unix(), 'x'.repeat(65537), TOO_LONG],
    ['2097153 for the large methods', await unix(), padded(2097153, LARGE), TOO_LONG],
    ['4 MiB', await unix(), padded(4194304, LARGE), '1009'],
    ['5 MiB', await unix(), padded(5242880, LARGE), '1009'],
    ['10,000 levels', await unix(), '['.repeat(10_000) + ']'.repeat(10_000), '1006'],
  ];
  for (const [name, client, message, expected] of cases) {
    client.socket.send(message);
    test.equal(await client.closed, expected, name);
  }
  const mangled = await unix();
  mangled.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false });
  test.match(await mangled.closed, /^1007/, 'invalid UTF-8');
});

t.test('5,000 levels pass in both directions', async (test) => {
  const { unix } = await start(test);
  const client = await unix();
  const deep = '['.repeat(4990) + ']'.repeat(4990);
  client.socket.send(`{"jsonrpc": "2.0", "method": "test.echo", "params": [${deep}], "id": 1}`);
  await client.find(({ id }) => id === 1);
  test.equal(client.frames[0], `{"jsonrpc": "2.0", "result": [${deep}], "id": 1}`);
});

t.test('an in-flight call dies with the connection that sent too much', async (test) => {
  const { sandbox, unix } = await start(test);
  const client = await unix();
  client.send('test.sleep', [30]);
  client.socket.send('x'.repeat(65537));
  test.equal(await client.closed, TOO_LONG);
  test.same(client.frames, []);
  while (sandbox.stats.open > 0) await new Promise(setImmediate);
});

t.test('a close is answered with 1000, whatever its code', async (test) => {
  const { unix } = await start(test);
  const client = await unix();
  client.socket.close(4000, 'bye');
  test.equal(await client.closed, '1000');
});

t.test('ten calls run, ten wait, the 21st is refused', async (test) => {
  const { sandbox, unix } = await start(test);
  const client = await unix();
  client.together(() => {
    for (let id = 0; id < 25; id += 1) client.send('test.sleep', [1], id);
  });
  await client.find(({ id }) => id === 19);
  const order = client.messages.map(({ id, error }) =>
    error === undefined ? id : `-${String(id)}`,
  );
  test.same(order.slice(0, 5), ['-20', '-21', '-22', '-23', '-24']);
  test.same(
    order.slice(5),
    Array.from({ length: 20 }, (_, id) => id),
  );
  const refusal =
    '{"jsonrpc": "2.0", "error": {"code": -32000, "message": "Maximum number of concurrent calls (20) has exceeded"}, "id": 20}';
  test.equal(client.frames[0], refusal);
  test.match(sandbox.stats, { maxRunning: 10, maxOutstanding: 21, calls: 25 });
  const [one, other] = [await unix(), await unix()];
  for (const each of [one, other])
    for (let id = 0; id < 20; id += 1) each.send('core.ping', [], id);
  for (const each of [one, other])
    test.equal((await each.find(({ id }) => id === 19)).result, 'pong', 'each has its own limit');
});

t.test('jobs hold a slot only where their result is the answer', async (test) => {
  const { unix } = await start(test);
  for (const isLegacy of [true, false]) {
    const client = await unix();
    await client.call('core.set_options', [{ legacy_jobs: isLegacy }]);
    client.together(() => {
      for (let id = 0; id < 22; id += 1) client.send('test.job', [1, 30], id);
      client.send('core.ping');
    });
    const ping = await client.find(({ id }) => id === 'core.ping');
    const refused = client.messages.filter(({ error }) => error?.code === -32000).length;
    test.equal(refused, isLegacy ? 0 : 3);
    test.equal(ping.error?.code, isLegacy ? undefined : -32000);
  }
});

/** The frames of one job as the captures' summaries write them. */
function flow(client: Client, messageId: string): string[] {
  const frames: string[] = [];
  for (const { id, params } of client.messages) {
    if (id === messageId) frames.push('RESPONSE');
    if (params?.fields.message_ids.includes(messageId) !== true) continue;
    const { state, progress } = params.fields;
    const percent = state === 'SUCCESS' ? `@${progress.percent}` : '';
    frames.push(`${params.msg.toUpperCase()}:${state}${percent}`);
  }
  return frames;
}

t.test('events and answers of a job come in the recorded order, every time', async (test) => {
  const { unix } = await start(test);
  const begin = ['ADDED:WAITING', 'CHANGED:RUNNING', 'CHANGED:RUNNING', 'CHANGED:SUCCESS@100'];
  const [added = '', ...running] = begin;
  const orders: [boolean, string, string[]][] = [
    [false, 'test.job', [...begin, 'CHANGED:SUCCESS@100', 'RESPONSE']],
    [false, 'test.job_audited', [...begin, 'RESPONSE', 'CHANGED:SUCCESS@100']],
    [true, 'test.job', [added, 'RESPONSE', ...running, 'CHANGED:SUCCESS@100']],
  ];
  for (const [isLegacy, method, expected] of orders) {
    const client = await unix();
    await client.call('core.set_options', [{ legacy_jobs: isLegacy }]);
    await client.call('core.subscribe', ['core.get_jobs']);
    for (let round = 0; round < 20; round += 1) {
      const id = `${method} ${round}`;
      client.send(method, [1, 0], id);
      while (flow(client, id).length < 6) await new Promise(setImmediate);
      test.same(flow(client, id), expected);
    }
    client.socket.close();
  }
});

t.test('a job started while its lock is held is shared by who comes next', async (test) => {
  const { unix } = await start(test);
  const client = await unix();
  await client.call('core.subscribe', ['core.get_jobs']);
  const ended = (job: number, state: string) =>
    client.find(({ params }) => params?.id === job && params.fields.state === state);
  await client.call('test.job_locked', ['first', 300], 'first');
  await ended(1, 'RUNNING');
  const second = await client.call('test.job_locked', ['second', 0], 'second');
  const third = await client.call('test.job_locked', ['third', 0], 'third');
  test.same([second.result, third.result], [2, 2]);
  await client.call('core.job_abort', [1]);
  const done = await ended(2, 'SUCCESS');
  test.match(done.params?.fields, { message_ids: ['second', 'third'], result: 'second' });
});

t.test('a lock without a queue refuses while its job runs', async (test) => {
  const { unix } = await start(test);
  const client = await unix();
  await client.call('core.subscribe', ['core.get_jobs']);
  await client.call('test.job_locked_busy', [1, 30], 'first');
  await client.find(({ params }) => params?.fields.state === 'RUNNING');
  const { error } = await client.call('test.job_locked_busy', [2, 0], 'second');
  test.match(error, { code: -32001, data: { errname: 'EBUSY' } });
});

t.test('F37: a sixth job without a lock is merged into the fifth that waits', async (test) => {
  const { unix } = await start(test);
  const client = await unix();
  await client.call('core.subscribe', ['core.get_jobs']);
  client.together(() => {
    for (let id = 1; id <= 5; id += 1) client.send('test.job', [1, 0, null, id], `r${id}`);
    client.send('test.job_sync', [1, 0, null, 'never run'], 'r6');
    client.send('test.job_locked', ['has a lock', 0], 'r7');
  });
  const answers: unknown[] = [];
  for (const id of ['r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7'])
    answers.push((await client.find((message) => message.id === id)).result);
  test.same(answers, [1, 2, 3, 4, 5, 5, 6]);
  const fifth = await client.find(
    ({ params }) => params?.id === 5 && params.fields.state === 'SUCCESS',
  );
  test.match(fifth.params?.fields, { message_ids: ['r5', 'r6'], method: 'test.job', result: 5 });
});

t.test('F38: an event that can’t be put into JSON is an error without an id', async (test) => {
  const { unix } = await start(test);
  const client = await unix();
  await client.call('core.subscribe', ['core.get_jobs']);
  await client.call('test.job_unserializable', ['result', 0], 'mine');
  test.match(await client.find(({ id }) => id === null), {
    error: { code: -32603, message: 'Failed to JSON serialize server message' },
  });
  const byId = [['id', '=', 1]];
  test.match((await client.call('core.get_jobs', [byId], 'whole')).error, { code: -32603 });
  const select = ['id', 'state', 'error'];
  test.same((await client.call('core.get_jobs', [byId, { select }], 'part')).result, [
    { id: 1, state: 'SUCCESS', error: null },
  ]);
});

t.test('jobs are kept up to a thousand', async (test) => {
  const jobs = new Jobs(() => undefined);
  const nothing = () => undefined;
  const transport = { send: nothing, close: nothing, terminate: nothing, cut: nothing };
  const origin = { text: 'a test', address: null, secure: true, isTls: false };
  const owner = new Session(1, transport, origin, rpc.dialect);
  // Jobs without a lock would be merged.
  const options = { lock: 'one after the other' };
  const spec = { method: 'test.job', body: () => null, options, args: [], owner, messageId: 1n };
  for (let half = 0; half < 2; half += 1) {
    const started = Array.from({ length: 505 }, () => jobs.start(spec));
    await Promise.all(started.map(({ finished }) => finished));
  }
  const kept = jobs.list();
  test.same([kept.length, kept[0]?.id, kept.at(-1)?.id], [1000, 11, 1010]);
});

t.test('transient jobs are not kept at all', async (test) => {
  const { unix } = await start(test);
  const client = await unix();
  await client.call('core.set_options', [{ legacy_jobs: false }]);
  await client.call('test.job_transient', [0]);
  test.same((await client.call('core.get_jobs')).result, []);
  const gone = await client.call('core.job_wait', [1], 'wait');
  test.match(gone.error, {
    code: -32602,
    data: { extra: [[null, 'Job with id 1 does not exist', 2]] },
  });
});

t.test('jobs of another session reach an administrator with their own small ids', async (test) => {
  const { unix, tcp } = await start(test);
  const [admin, reader] = [await unix(), await tcp()];
  await reader.login('reader');
  for (const client of [admin, reader]) await client.call('core.subscribe', ['core.get_jobs']);
  const { result } = await admin.call('test.foreign_jobs', [3], 'mine');
  test.same(result, [1, 2, 3]);
  for (const id of [1, 2, 3])
    test.same((await admin.find(({ params }) => params?.id === id)).params?.fields.message_ids, [
      id,
    ]);
  test.same((await reader.call('core.get_jobs')).result, []);
  await reader.call('test.job', [0], 'own');
  await reader.find(({ params }) => params?.fields.state === 'SUCCESS');
  const seen = new Set(reader.messages.flatMap(({ params }) => (params ? [params.id] : [])));
  test.same([...seen], [4], 'who is no administrator sees his own');
  const refused = await reader.call('core.job_abort', [1], 'abort');
  test.match(refused.error, { code: -32001, data: { errname: 'EPERM' } });
  test.match((await reader.call('pool.scrub', [1])).error, { data: { errname: 'EACCES' } });
});

t.test(
  'an expired session is logged out silently and keeps its plain subscriptions',
  async (test) => {
    const { unix, tcp } = await start(test);
    const [client, other] = [await tcp(), await unix()];
    await client.login('admin');
    await client.call('core.subscribe', ['core.get_jobs'], 1);
    await client.call('core.subscribe', ['test.event'], 2);
    await client.call('test.expire_session');
    test.match((await client.call('system.info')).error, { data: { error: 207 } });
    await other.call('core.set_options', [{ legacy_jobs: false }]);
    await other.call('test.job', [0]);
    await other.call('test.emit', ['CHANGED', { secret: 1 }]);
    await client.find(({ params }) => params?.msg === 'changed');
    const events = client.frames.filter((frame) => frame.includes('collection_update'));
    test.same(events, [
      '{"jsonrpc": "2.0", "method": "collection_update", "params": {"msg": "changed", "collection": "test.event", "fields": {"secret": 1}}}',
    ]);
  },
);

t.test('a refused login takes its time, and is counted', async (test) => {
  const { sandbox, tcp } = await start(test, { failedLoginDelayMs: 60 });
  const client = await tcp();
  const before = performance.now();
  test.equal((await client.call('auth.login', ['admin', 'wrong'])).result, false);
  test.ok(performance.now() - before >= 55);
  await client.login('admin');
  test.match(sandbox.stats, { logins: 1, failedLogins: 1 });
});

t.test('the limit before a login spares Unix sockets', async (test) => {
  const { unix, tcp } = await start(test, {
    rateLimit: { calls: 3, windowMs: 600_000, delayMs: 5 },
  });
  const codes = async (client: Client): Promise<unknown[]> => {
    for (let id = 0; id < 4; id += 1) client.send('core.ping', [], id);
    const answers = [0, 1, 2, 3].map((each) => client.find(({ id }) => id === each));
    return (await Promise.all(answers)).map(({ error }) => error?.code ?? 'pong');
  };
  test.same(await codes(await tcp()), ['pong', 'pong', 'pong', -32001]);
  test.same(await codes(await unix()), ['pong', 'pong', 'pong', 'pong']);
});

t.test('the limit before a login starts anew after its window', async (test) => {
  const limiter = new RateLimiter({ calls: 2, windowMs: 150, delayMs: 5 });
  const take = (now: number, address = 'a') => limiter.take('core.ping', address, now);
  test.same(
    [1000, 1001, 1002, 1149].map((now) => take(now)),
    [null, null, 5, 5],
  );
  test.equal(take(1149, 'b'), null, 'another address has a window of its own');
  test.same(
    [1150, 1151, 1152].map((now) => take(now)),
    [null, null, 5],
  );
});

t.test('known paths are upgraded, everything else is refused', async (test) => {
  const { sandbox, base } = await start(test);
  const get = (target: string): Promise<[number, string]> =>
    new Promise((resolve, reject) => {
      http
        .get(`http://${base}${target}`, (response) => {
          let body = '';
          response.on('data', (chunk: Buffer) => (body += chunk.toString()));
          response.on('end', () => {
            resolve([response.statusCode ?? 0, body]);
          });
        })
        .on('error', reject);
    });
  const [status, body] = await get('/api/versions');
  const versions = JSON.parse(body) as string[];
  test.equal(status, 200);
  for (const version of ['current', ...versions])
    (await Client.open(`ws://${base}/api/${version}`)).socket.close();
  (await Client.open(`ws://${base}/websocket`)).socket.close();
  for (const target of ['/api/v1.2.3', '/websocket/', '/', '/api/current/x'])
    await test.rejects(Client.open(`ws://${base}${target}`), /404/, target);
  test.same((await get('/api/current'))[0], 400);
  test.same((await get('/websocket'))[0], 400);
  test.same((await get('/nothing'))[0], 404);
  sandbox.setRefusing(502);
  await test.rejects(Client.open(`ws://${base}/api/current`), /502/);
  sandbox.setRefusing(null);
  (await Client.open(`ws://${base}/api/current`)).socket.close();
});

t.test('compression is accepted when offered and left alone when not', async (test) => {
  const { tcp } = await start(test);
  for (const perMessageDeflate of [true, false]) {
    const client = await tcp({ perMessageDeflate });
    test.equal(client.socket.extensions, perMessageDeflate ? 'permessage-deflate' : '');
    await client.login('admin');
    const { result } = await client.call('test.bigstring', [100_000]);
    test.equal(result, 'x'.repeat(100_000));
  }
});

t.test('what goes on is counted and kept byte for byte', async (test) => {
  const { sandbox, unix } = await start(test);
  const client = await unix();
  const odd = '{"jsonrpc":"2.0" , "id":"a","method":"test.raw","params":["[1.50, NaN]"]}';
  client.socket.send(odd);
  while (client.frames.length === 0) await new Promise(setImmediate);
  test.same(client.frames, ['{"jsonrpc": "2.0", "result": [1.50, NaN], "id": "a"}']);
  client.frames.length = 0; // not for JSON.parse
  test.same(sandbox.received, [odd]);
  test.equal(sandbox.countOf('test.raw'), 1);
  test.equal(sandbox.countOf('core.ping'), 0);
  test.match(sandbox.stats, { connections: 1, open: 1, messages: 1, calls: 1 });
  const { result } = await client.call('test.big', [100_000]);
  const size = JSON.stringify(result).length;
  test.ok(size > 80_000 && size < 120_000, `${size} bytes`);
  sandbox.dropAll();
  test.equal(await client.closed, '1006');
  test.equal((await (await unix()).call('core.ping')).result, 'pong', 'it goes on listening');
});

t.test('queries filter, sort and pick', async (test) => {
  const { unix } = await start(test);
  const client = await unix();
  const cases: [unknown[], unknown][] = [
    [[[['name', '=', 'tank']], { select: ['name'], get: true }], { name: 'tank' }],
    [
      [[], { order_by: ['-id'], select: ['id'] }],
      [{ id: 2 }, { id: 1 }],
    ],
    [[[], { order_by: ['id'], select: ['id'], offset: 1 }], [{ id: 2 }]],
    [[[['id', 'in', [2, 3]]], { count: true }], 1],
    [
      [
        [
          ['scan.state', '=', 'FINISHED'],
          ['id', '>', 1],
        ],
        { count: true },
      ],
      1,
    ],
    [
      [
        [
          [
            'OR',
            [
              ['id', '=', 1],
              ['name', '~', '^arch'],
            ],
          ],
        ],
        { count: true },
      ],
      2,
    ],
  ];
  for (const [index, [params, expected]] of cases.entries())
    test.same((await client.call('pool.query', params, index)).result, expected);
  const bad = await client.call('pool.query', [[['id', '?', 1]]], 'bad');
  test.match(bad.error, { code: -32001 });
});

t.test('JSON is read and written the way Python does', (test) => {
  const same = [
    '2.0',
    '1e+16',
    '1e-05',
    '-0.0',
    '5e-324',
    '[NaN, Infinity, -Infinity]',
    '1' + '0'.repeat(4299),
  ];
  for (const text of same) test.equal(dump(parse(text)), text);
  const changed: [string, string][] = [
    ['1e400', 'Infinity'],
    ['1E5', '100000.0'],
    ['"ž😀\\ud800\u007f/"', '"\\u017e\\ud83d\\ude00\\ud800\\u007f/"'],
    ['{"a":1,"b":2,"a":3}', '{"a": 3, "b": 2}'],
    ['{"$date":1999}', '{"$date": 1000}'],
    ['{"$time":"1:2:3"}', '{"$time": "01:02:03"}'],
    ['{"$set":[1,1,2]}', '{"$set": [1, 2]}'],
    ['{"$date":1,"x":2}', '{"$date": 1, "x": 2}'],
  ];
  for (const [text, expected] of changed) test.equal(dump(parse(text)), expected);
  const refused: [string, string][] = [
    ['', 'Expecting value: line 1 column 1 (char 0)'],
    ['{bad', 'Expecting property name enclosed in double quotes: line 1 column 2 (char 1)'],
    ['[1\n 2]', "Expecting ',' delimiter: line 2 column 2 (char 4)"],
    ['{"a" 1}', "Expecting ':' delimiter: line 1 column 6 (char 5)"],
    ['"😀', 'Unterminated string starting at: line 1 column 1 (char 0)'],
    ['["😀\u0001"]', 'Invalid control character at: line 1 column 4 (char 3)'],
    ['"\\x"', 'Invalid \\escape: line 1 column 2 (char 1)'],
    ['01', 'Extra data: line 1 column 2 (char 1)'],
    ['{"$time":"25:00"}', 'Error parsing $time: hour must be in 0..23'],
  ];
  for (const [text, message] of refused) test.throws(() => parse(text), { message });
  test.throws(() => parse('1' + '0'.repeat(4300)), /^Exceeds the limit \(4300 digits\)/);
  test.end();
});

t.test('a dead sandbox leaves a socket that the next takes, a live one keeps it', async (test) => {
  const unix = path.join(temporary(test), 's');
  const child = spawn(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(unix)}, () => process.kill(process.pid, 'SIGKILL'))`,
  ]);
  await new Promise((resolve) => child.once('exit', resolve));
  test.ok(fs.lstatSync(unix).isSocket());
  const sandbox = await startSandbox({ unix });
  await test.rejects(startSandbox({ unix }), { code: 'EADDRINUSE' });
  await sandbox.close();
  test.notOk(fs.existsSync(unix));
  fs.writeFileSync(unix, 'precious');
  await test.rejects(startSandbox({ unix }), { code: 'EADDRINUSE' });
  test.equal(fs.readFileSync(unix, 'utf8'), 'precious');
  await test.rejects(startSandbox({ unix: `/tmp/${'x'.repeat(200)}` }), { code: 'ENAMETOOLONG' });
});
