/** `connect`, over a WebSocket of its own and through a daemon: values, jobs, events, signals, and when the process ends. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import {
  connect,
  JsonText,
  MidcltError,
  type Connection,
  type ConnectOptions,
  type EventMessage,
  type Progress,
} from '../../../lib/index.js';
import { ownSurroundings, runScript } from '../../support/api.js';
import { startDaemon, exchange, type Surroundings } from '../../support/daemon.js';
import { midclt, until } from '../../support/midclt.js';

interface Way {
  readonly name: string;
  readonly around: Surroundings;
  readonly nas: Connection;
}

/** One connection of its own, one through a daemon, to a sandbox. */
async function ways(t: Test, options: ConnectOptions = {}): Promise<readonly Way[]> {
  const around = await ownSurroundings(t);
  await startDaemon(t, { around });
  const { uri } = around;
  const [direct, daemon] = await Promise.all([
    connect({ uri, ...options }),
    connect({ uri, daemon: true, autostart: false, ...options }),
  ]);
  t.teardown(() => Promise.all([direct.close(), daemon.close()]));
  return [
    { name: 'direct', around, nas: direct },
    { name: 'daemon', around, nas: daemon },
  ];
}

t.test('values in, values out; texts where they are wanted', async (t) => {
  for (const { name, nas } of await ways(t)) {
    t.same(
      await nas.call('test.echo', [1, 'é', null, { a: [true] }]),
      [1, 'é', null, { a: [true] }],
      name,
    );
    t.equal(await nas.call('system.ready'), true);
    const raw = await nas.raw.call('test.echo', { json: '[18446744073709551615, 2.0, NaN]' });
    t.ok(raw instanceof JsonText);
    t.equal(String(raw), '[18446744073709551615, 2.0, NaN]');
    t.equal(nas.raw.raw, nas.raw);
    await nas.ping({ timeout: 5 });
  }
  for (const { nas } of await ways(t, { bigint: true })) {
    t.same(await nas.call('test.echo', [2n ** 64n, 5]), [2n ** 64n, 5]);
  }
});

t.test('errors have their codes, over the socket too', async (t) => {
  for (const { name, nas } of await ways(t)) {
    const codeOf = (call: Promise<unknown>) =>
      call.then(
        () => 'none',
        (error: unknown) => (error as MidcltError).code,
      );
    t.equal(await codeOf(nas.call('no.such')), 'CALL', name);
    t.equal(await codeOf(nas.call('test.sleep', [9], { timeout: 0.05 })), 'TIMEOUT', name);
    t.equal(await codeOf(nas.call('test.echo', [undefined])), 'REQUEST', name);
    t.equal(await codeOf(nas.call('test.echo', ['x'.repeat(70_000)])), 'REQUEST', name);
    const failure = (await nas
      .call('test.fail', [2, 'No such share', { share: 'x' }])
      .catch((error: unknown) => error)) as MidcltError;
    t.ok(failure instanceof MidcltError);
    t.match(failure, { code: 'CALL', message: '[ENOENT] No such share' });
    t.same(failure.extra?.value(), { share: 'x' });
    t.match(failure.trace?.value(), { class: 'CallError' });
  }
});

t.test('a frame names its code to who asks for it alone', async (t) => {
  const daemon = await startDaemon(t);
  const lines = [
    '{"command":"call","method":"no.such"}',
    '{"command":"call","method":"no.such","error_code":true}',
    '{"command":"call"}',
    '{"command":"call","error_code":true}',
  ];
  const { frames } = await exchange(daemon.socket, `${lines.join('\n')}\n`, { halfClose: true });
  t.same(
    frames.map(({ code }) => code ?? null),
    [null, 'CALL', null, 'REQUEST'],
  );
});

t.test('a job is awaited, iterated and aborted', async (t) => {
  for (const { name, nas, around } of await ways(t)) {
    const job = nas.job('test.job', [3, 0.3]);
    const seen: Progress[] = [];
    for await (const progress of job) seen.push(progress);
    t.equal(await job, 'done', name);
    const id = await job.id;
    t.type(id, 'number');
    t.ok(seen.some(({ percent, state }) => percent !== 100 && state === 'RUNNING'));
    t.match(seen.at(-1), { percent: 100, state: 'SUCCESS', jobId: id });
    t.same(job.progress, seen.at(-1));
    t.equal(await nas.follow(id ?? 0), 'done', 'and again by its id');

    const failing = nas.job('test.job', [1, 0, 'callerror']);
    for await (const progress of failing) t.ok(progress);
    await t.rejects(failing.then(), { code: 'CALL', message: '[EIO] job failed on purpose' });
    await failing.abort();

    const long = nas.job('test.job_abortable', [100, 1]);
    await long.abort();
    await t.rejects(long.then(), { code: 'CALL', message: /aborted/ });

    const plain = nas.job('test.echo', [1]);
    t.same(await plain, [1], 'a method that is no job');
    t.equal(await plain.id, null);

    const left = new AbortController();
    const given = nas.job('test.job_abortable', [100, 0.1], { signal: left.signal });
    const goesOn = await given.id;
    left.abort(new RangeError('enough'));
    await t.rejects(given.then(), RangeError);
    t.match(await nas.call('core.get_jobs', [[['id', '=', goesOn]], { get: true }]), {
      state: /WAITING|RUNNING/,
    });
    await nas.call('core.job_abort', [goesOn]);
    t.ok(await given.finally(() => undefined).catch(() => true));
    t.ok(around);
  }
});

t.test('a signal gives a request up at once, before and after it is sent', async (t) => {
  for (const { name, nas, around } of await ways(t)) {
    const before = around.sandbox.countOf('test.sleep');
    await t.rejects(
      nas.call('test.sleep', [0], { signal: AbortSignal.abort(new RangeError('no')) }),
      RangeError,
      name,
    );
    t.equal(around.sandbox.countOf('test.sleep'), before, 'it was not sent');
    const started = performance.now();
    await t.rejects(nas.call('test.sleep', [20], { signal: AbortSignal.timeout(50) }), {
      name: 'TimeoutError',
    });
    t.ok(performance.now() - started < 10_000);
    t.equal(await nas.call('system.ready'), true);
  }
});

t.test('events are iterated over; leaving the loop ends the subscription', async (t) => {
  for (const { name, nas, around } of await ways(t)) {
    const event = 'test.ticker:{"interval": 0.01}';
    const seen: EventMessage[] = [];
    for await (const message of nas.subscribe(event)) {
      seen.push(message);
      if (seen.length === 3) break;
    }
    t.match(
      seen[2],
      { gap: false, msg: 'added', collection: event, id: null, fields: { n: 2 } },
      name,
    );
    await until(
      'the end of the subscription',
      () => around.sandbox.countOf('core.unsubscribe') > 0,
    );

    const counted: EventMessage[] = [];
    for await (const message of nas.subscribe('test.ticker:{"interval": 0.01, "count": 2}'))
      counted.push(message);
    t.equal(counted.length, 2, 'the server ends it');

    const failing = 'test.ticker:{"interval": 0.01, "count": 1, "error": "disk on fire"}';
    const read = async () => {
      for await (const message of nas.subscribe(failing)) t.ok(message);
    };
    await t.rejects(read(), { message: /disk on fire/ });
    const stop = AbortSignal.timeout(100);
    const forever = async () => {
      for await (const message of nas.subscribe('test.event', { signal: stop })) t.ok(message);
    };
    await t.rejects(forever(), { name: 'TimeoutError' });
  }
});

t.test('a connection that is lost is a gap in the events, and made anew for calls', async (t) => {
  for (const { name, nas, around } of await ways(t)) {
    let hasGap = false;
    let after = 0;
    // So many that it does not end before it is seen that the connection is lost.
    const event = 'test.ticker:{"interval": 0.02, "count": 100000}';
    for await (const message of nas.subscribe(event)) {
      if (!message.gap && (message.fields as { n: number }).n === 2) around.sandbox.dropAll();
      if (message.gap) hasGap = true;
      else if (hasGap && ++after === 2) break;
    }
    t.ok(hasGap, name);
    t.equal(await nas.call('system.ready'), true);
  }
});

t.test('a loop that is slow misses events, and is told; they do not pile up', async (t) => {
  for (const { name, nas, around } of await ways(t)) {
    const { sandbox } = around;
    const before = sandbox.countOf('core.subscribe');
    const fields = { text: 'x'.repeat(50_000) };
    const params = { msg: 'changed', collection: 'test.event', fields };
    const event = JSON.stringify({ jsonrpc: '2.0', method: 'collection_update', params });
    const events = nas.subscribe('test.event');
    const first = events.next();
    await until('the subscription', () => sandbox.countOf('core.subscribe') > before);
    sandbox.sendRaw(event);
    t.match(await first, { value: { gap: false } }, name);
    for (let i = 0; i < 200; i++) sandbox.sendRaw(event);
    await nas.call('system.ready'); // they have come
    let count = 0;
    for await (const message of events) {
      if (message.gap) break;
      count++;
    }
    t.ok(count > 5 && count < 100, `${count} before the gap`);
  }
});

t.test('a result as a stream: as it comes, and no faster than it is read', async (t) => {
  for (const { name, nas } of await ways(t)) {
    const text = await buffer(nas.stream('test.bigstring', [3_000_000]));
    t.equal(text.length, 3_000_002, name);
    await t.rejects(buffer(nas.stream('no.such')), { code: 'CALL' });
    const stream = nas.stream('test.bigstring', [3_000_000], {
      signal: AbortSignal.abort(new RangeError('no')),
    });
    await t.rejects(buffer(stream), RangeError);
    const left = nas.stream('test.bigstring', [3_000_000]);
    for await (const piece of left) {
      t.ok(piece);
      break;
    }
    t.equal(await nas.call('system.ready'), true);
  }
});

t.test('files come and go as streams', async (t) => {
  for (const { name, nas, around } of await ways(t)) {
    const content = randomBytes(300_000);
    const up = nas.upload('filesystem.put', ['/mnt/x'], content);
    t.equal(await up, true, name);
    t.type(await up.id, 'number');
    const {
      body,
      job,
      name: file,
    } = await nas.download('filesystem.get', ['/mnt/x'], { name: 'y' });
    t.ok((await buffer(body)).equals(content));
    t.equal(file, 'y');
    await job;
    const files = [
      `${around.home}/f`,
      Readable.from([Buffer.from('ab'), Buffer.from('c')]),
      { name: 'z', data: Buffer.alloc(0) },
    ];
    fs.writeFileSync(`${around.home}/f`, 'from a file');
    const counted = (await nas.upload('test.upload', [], files)) as { bytes: number }[];
    t.same(
      counted.map(({ bytes }) => bytes),
      [11, 3, 0],
    );

    const failing = await nas.download('test.download', [100_000, { fail: 5000 }]);
    await t.rejects(buffer(failing.body), { code: 'CALL', message: /failed on purpose/ });
    const failed = nas.upload('test.upload', [{ fail: 1 }], content);
    await t.rejects(failed.then(), { code: 'CALL', message: /failed on purpose/ });
    await t.rejects(nas.upload('test.upload', [], []).then(), { code: 'REQUEST' });
    await t.rejects(nas.upload('test.upload', [], '/nowhere').then(), { code: 'FILES' });
    await t.rejects(nas.download('core.ping'), { code: 'CALL' });
    const whole = await nas.download('test.download', [50_000], { buffered: true });
    t.equal((await buffer(whole.body)).length, 50_000);

    const slow = [3_000_000, { chunk: 10_000, delay: 0.05 }] as const;
    const stop = new AbortController();
    const given = await nas.download('test.download', slow, { signal: stop.signal });
    const readOn = async () => {
      for await (const piece of given.body) {
        t.ok(piece);
        stop.abort(new DOMException('', 'TimeoutError')); // as AbortSignal.timeout does, when some has come
      }
    };
    await t.rejects(readOn(), { name: 'TimeoutError' });
    const left = await nas.download('test.download', slow);
    for await (const piece of left.body) {
      t.ok(piece);
      break;
    }
    await t.rejects(left.job.then(), { code: 'CALL' }, 'the job finds nobody reading');
    around.sandbox.setFileFault({ cutAfter: 20_000 });
    const cut = await nas.download('test.download', [50_000]);
    await t.rejects(buffer(cut.body), MidcltError);
    around.sandbox.setFileFault(null);
  }
});

t.test('closing ends what is under way', async (t) => {
  for (const { name, nas } of await ways(t)) {
    const asleep = nas.call('test.sleep', [30]);
    const job = nas.job('test.job', [30, 1]);
    const events = nas.subscribe('test.event')[Symbol.asyncIterator]().next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await nas.close();
    await t.rejects(asleep, MidcltError, name);
    await t.rejects(job.then(), MidcltError);
    await t.rejects(events, MidcltError);
    await t.rejects(nas.call('system.ready'), { code: 'CLOSED' });
    await nas.close();
  }
});

t.test('the daemon is started where there is none, unless it may not', async (t) => {
  const { home, uri } = await ownSurroundings(t);
  await t.rejects(connect({ uri, daemon: true, autostart: false }), { code: 'NO_DAEMON' });
  await t.rejects(connect({ uri: 'ws://127.0.0.1:9/api/current', daemon: true }), {
    code: 'NO_DAEMON',
  });
  await t.rejects(connect({ uri, username: 'x' }), { code: 'REQUEST' });
  await t.rejects(connect({ uri: 'ws+unix:///nowhere' }), { code: 'CONNECT' });
  const nas = await connect({ uri, daemon: true });
  t.equal(await nas.call('system.ready'), true);
  t.match(await midclt(['-u', uri, 'daemon-stop'], { home }), { code: 0 });
  t.equal(await nas.call('system.ready'), true, 'and again when it has ended');
  t.match(await midclt(['-u', uri, 'daemon-stop'], { home }), { code: 0 });
  await nas.close();
});

t.test('the process ends when nothing is under way, and nothing is unhandled', async (t) => {
  const { home, uri, sandbox } = await ownSurroundings(t);
  await startDaemon(t, { around: { home, uri, sandbox } });
  const script = (rest: string, options = '') =>
    runScript(
      `
    import { connect } from 'midclt';
    process.on('unhandledRejection', (error) => { console.log('unhandled', error); process.exitCode = 9; });
    const nas = await connect({ uri: '${uri}', ${options} });
    ${rest}
    console.log('end');
  `,
      home,
    );
  for (const options of ['', 'daemon: true']) {
    const all = await script(
      `
      console.log(await nas.call('test.sleep', [0.2]));
      nas.job('test.job', [1, 0, 'callerror']);
      nas.job('test.job_abortable', [1, 0.1]).id.then((id) => console.log(typeof id));
      for await (const message of nas.subscribe('test.ticker:{"interval": 0.01}')) break;
      nas.call('test.sleep', [60], { signal: AbortSignal.timeout(20) }).catch((error) => console.log(error.name));
    `,
      options,
    );
    t.match(all, { code: 0 });
    t.notMatch(all.stdout, 'unhandled');
    t.match(all.stdout, /^0\.2\n/);
    t.match(all.stdout, /TimeoutError/);
  }
  const kept = await script(
    `setTimeout(() => nas.close(), 200); const began = Date.now(); process.on('exit', () => console.log(Date.now() - began >= 200));`,
    'keepAlive: true',
  );
  t.match(kept, { code: 0, stdout: 'end\ntrue\n' });
  const disposed = await script('await nas[Symbol.asyncDispose]();', 'keepAlive: true');
  t.match(disposed, { code: 0, stdout: 'end\n' });
});
