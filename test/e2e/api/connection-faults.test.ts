/** `connect` against what callers and servers do that they should not: nothing crashes, hangs, leaks or keeps the process. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { connect, type EventMessage } from '../../../lib/index.js';
import { failureOf, ownSurroundings, runScript, ways } from '../../support/api.js';
import { startDaemon } from '../../support/daemon.js';
import { startHostileServer } from '../../support/hostile-server.js';
import { until } from '../../support/midclt.js';
import { paramsOf } from '../../support/wire.js';

t.test('an attempt to connect is given up by its signal, and nothing of it is left', async (t) => {
  const { home, sandbox, uri } = await ownSurroundings(t);
  sandbox.setStalled(true);
  const ended = await runScript(
    `import { connect } from 'midclt';
     const signal = AbortSignal.timeout(200);
     await connect({ uri: '${uri}', signal }).catch((error) => console.log(error.name));
     await connect({ uri: '${uri}', daemon: true, signal }).catch((error) => console.log(error.name));`,
    home,
  );
  t.match(ended, { code: 0, stdout: 'TimeoutError\nTimeoutError\n' });
  sandbox.setStalled(false);
});

t.test('a job that nobody waits for any more can still be aborted', async (t) => {
  for (const { name, nas } of (await ways(t)).both) {
    const stop = new AbortController();
    const job = nas.job('test.job_abortable', [100, 0.2], { signal: stop.signal });
    const id = await job.id;
    stop.abort();
    await job.catch(() => undefined);
    await job.abort();
    await t.rejects(nas.follow(id ?? 0).then(), { code: 'CALL', message: /aborted/ }, name);
  }
});

t.test('any reason of a signal is the rejection, and none ends the process', async (t) => {
  const { both } = await ways(t);
  for (const { name, nas } of both) {
    for (const reason of [null, 0, 'enough', Symbol('x'), Object.create(null) as object]) {
      const begin: ((signal: AbortSignal) => Promise<unknown>)[] = [
        (signal) => nas.call('test.sleep', [9], { signal }),
        (signal) => nas.job('test.job', [9, 1], { signal }).then(),
        (signal) => nas.subscribe('test.event', { signal }).next(),
        (signal) =>
          nas
            .upload('filesystem.put', ['/x'], new Readable({ read: () => undefined }), { signal })
            .then(),
      ];
      for (const work of begin) {
        const stop = new AbortController();
        const failure = failureOf(work(stop.signal));
        const timer = setTimeout(() => {
          stop.abort(reason);
        }, 20);
        t.equal(await failure, reason, name);
        clearTimeout(timer);
        t.equal(await failureOf(work(AbortSignal.abort(reason))), reason);
      }
      const stop = new AbortController();
      const stream = nas.stream('test.sleep', [9], { signal: stop.signal });
      const failure = failureOf(buffer(stream));
      stop.abort(reason);
      t.type(await failure, Error, 'of a stream it is an Error');
    }
  }
});

t.test('an iterator may be left while it waits, and iterated by two at once', async (t) => {
  const { around, both } = await ways(t);
  for (const { name, nas } of both) {
    const events = nas.subscribe('test.event');
    const next = events.next();
    const subscribed = around.sandbox.countOf('core.subscribe');
    await until('the subscription', () => around.sandbox.countOf('core.subscribe') >= subscribed);
    t.match(await events.return(), { done: true }, name);
    t.match(await next, { done: true });
    t.match(await nas.subscribe('test.event').return(), { done: true }, 'before it has begun');

    const job = nas.job('test.job', [3, 0.3]);
    const count = async () => {
      let seen = 0;
      for await (const { state } of job) seen += state === 'RUNNING' ? 1 : 0;
      return seen;
    };
    const [one, other, third] = await Promise.all([count(), count(), job.then(count)]);
    t.ok(one >= 1 && one === other, `${one} and ${other}`);
    t.ok(third <= 1, 'the last alone, when it has ended');
  }
});

t.test(
  'a hundred requests with one signal warn of no leak; more subscriptions than turns leave room for calls',
  async (t) => {
    const { around, both } = await ways(t);
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    t.teardown(() => process.off('warning', onWarning));
    const { signal } = new AbortController();
    for (const { name, nas } of both) {
      await Promise.all(Array.from({ length: 100 }, () => nas.call('test.echo', [1], { signal })));
      const stop = new AbortController();
      const before = around.sandbox.countOf('core.subscribe');
      const loops = Array.from({ length: 100 }, (_, i) =>
        failureOf(
          nas.subscribe(`test.ticker:{"interval": ${i + 10}}`, { signal: stop.signal }).next(),
        ),
      );
      await until(
        'all subscriptions',
        () => around.sandbox.countOf('core.subscribe') >= before + 100,
      );
      t.equal(
        await nas.call('system.ready', [], { signal: AbortSignal.timeout(10_000) }),
        true,
        name,
      );
      stop.abort();
      for (const loop of loops) t.match(await loop, /none|AbortError/);
    }
    t.same(warnings, []);
  },
);

t.test('whether a call may have been run is told over both ways', async (t) => {
  const { around, both } = await ways(t);
  for (const { name, nas } of both) {
    const refused = await failureOf(nas.call('test.fail', [2, 'x']));
    t.match(refused, { code: 'CALL', outcomeUnknown: false }, name);
    const late = await failureOf(nas.call('test.sleep', [9], { timeout: 0.1 }));
    t.match(late, { code: 'TIMEOUT', outcomeUnknown: true });
    const sent = () => paramsOf(around.sandbox, 'test.sleep').filter((text) => text === '[30]');
    const before = sent().length;
    const asleep = failureOf(nas.call('test.sleep', [30]));
    await until('it to be sent', () => sent().length > before);
    await nas.close();
    t.match(await asleep, { code: 'LOST', outcomeUnknown: true });
    t.match(await failureOf(nas.call('test.echo')), { code: 'CLOSED', outcomeUnknown: false });
  }
});

t.test(
  'a slow loop over small events leaves them to the daemon, which tells of a gap',
  async (t) => {
    const { around, both } = await ways(t);
    const { sandbox } = around;
    const fields = { text: 'x'.repeat(200) };
    const params = { msg: 'changed', collection: 'test.event', fields };
    const event = JSON.stringify({ jsonrpc: '2.0', method: 'collection_update', params });
    for (const { name, nas } of both) {
      const before = sandbox.countOf('core.subscribe');
      const events = nas.subscribe('test.event');
      const first = events.next();
      await until('the subscription', () => sandbox.countOf('core.subscribe') > before);
      sandbox.sendRaw(event);
      await first;
      const flood = async () => {
        for (let i = 0; i < 2000; i++) sandbox.sendRaw(event);
        await nas.call('system.ready'); // they have come
      };
      let taken = 0;
      let hasGap = false;
      for (let i = 0; i < 10 && !hasGap; i++) {
        await flood();
        for (let n = 0; n < 5; n++) {
          const { value } = (await events.next()) as { value: EventMessage };
          taken++;
          hasGap ||= value.gap;
        }
      }
      // All that was taken at once came before the gap: it is behind a bounded number of events.
      while (!hasGap && taken++ < 8000) {
        hasGap = ((await events.next()) as { value: EventMessage }).value.gap;
      }
      t.ok(hasGap, name);
      await events.return();
    }
  },
);

t.test('a server that is hostile: what comes is an error, and nothing is unhandled', async (t) => {
  const around = await ownSurroundings(t);
  const deep = '['.repeat(200_000) + ']'.repeat(200_000);
  const server = await startHostileServer(t, {
    onRequest: (victim, { id, method }) => {
      if (method === 'core.ping') victim.answer(id, '"pong"');
      else if (method === 'deep') victim.answer(id, deep);
      else if (method === 'core.download') victim.answer(id, '[7, "/_download/7?auth_token=t"]');
      else if (method === 'core.get_jobs') victim.answer(id, '[]');
      else if (method === 'bad') victim.say(`{"jsonrpc": "2.0", "id": "${id}", "result": [}`);
      else if (method === 'half') victim.raw(Buffer.from([0x81, 126, 1, 0, 65]));
    },
    onSubscribe: (victim, id) => {
      victim.answer(id, '"s"');
      const params = `{"msg": "added", "collection": "e", "id": ${deep}, "fields": ${deep}}`;
      victim.say(`{"jsonrpc": "2.0", "method": "collection_update", "params": ${params}}`);
      return true;
    },
    onFile: (stream) => {
      stream.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf');
      setTimeout(() => stream.destroy(), 30);
    },
  });
  const uri = server.uris.jsonrpc;
  await startDaemon(t, { around, uri });
  for (const options of [{}, { daemon: true, autostart: false }]) {
    for (const bigint of [false, true]) {
      const nas = await connect({ uri, bigint, ...options });
      t.equal(await failureOf(nas.call('deep')), 'none', 'as deep as it likes');
      t.match(await failureOf(nas.call('bad')), { code: 'PROTOCOL', outcomeUnknown: true });
      t.equal(await failureOf(nas.subscribe('e').next()), 'none');
      const { body } = await nas.download('x');
      await until('its end', () => body.destroyed);
      t.match(await failureOf(buffer(body)), { code: /LOST|CALL/ }, 'told to who reads it later');
      await nas.close();
    }
  }
});

t.test('processes end when they should, with what they wait for', async (t) => {
  const around = await ownSurroundings(t);
  await startDaemon(t, { around });
  const server = await startHostileServer(t, {
    onRequest: (victim, { id, method }) => {
      if (method === 'deaf')
        (victim.socket as unknown as { _socket: { pause(): void } })._socket.pause();
      victim.answer(id, '1');
    },
  });
  const run = async (uri: string, options: string, rest: string) => {
    const began = performance.now();
    const code = `import { connect } from 'midclt';
      const nas = await connect({ uri: '${uri}', ${options} });
      ${rest}
      console.log('end');`;
    const { code: exit, stdout } = await runScript(code, around.home);
    t.match({ exit, stdout }, { exit: 0, stdout: 'end\n' }, rest);
    t.ok(performance.now() - began < 10_000, 'soon');
  };
  await run(server.uris.jsonrpc, '', "await nas.call('deaf'); await nas.close();");
  for (const options of ['', 'daemon: true, autostart: false']) {
    const { uri } = around;
    await run(
      uri,
      options,
      "const s = nas.stream('test.bigstring', [3e6]); await new Promise((go) => s.once('readable', go)); s.destroy();",
    );
    await run(
      uri,
      options,
      "const s = nas.stream('test.bigstring', [3e6]); for await (const piece of s) { await new Promise((go) => setTimeout(go, 300).unref() && setTimeout(go, 50)); break; }",
    );
    await run(
      uri,
      options,
      "await nas.download('test.download', [10, { delay: 30 }], { signal: AbortSignal.timeout(100) }).then(({ body }) => body.toArray()).catch(() => 0);",
    );
  }
});
