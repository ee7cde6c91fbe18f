/** `subscribe` on the daemon's socket: whom an event is told, for how long, and what becomes of slow readers. */
import net from 'node:net';
import t from 'tap';
import { startDaemon } from '../../support/daemon.js';
import { startHostileServer, type Victim } from '../../support/hostile-server.js';
import { makeHome, until } from '../../support/midclt.js';
import { call, converse, PING, residentMegabytes, type Conversation } from '../../support/wire.js';

/** The line that subscribes. */
function subscribe(event: string, more: object = {}): string {
  return `${JSON.stringify({ command: 'subscribe', event, ...more })}\n`;
}

const ticker = (options: object) => `test.ticker:${JSON.stringify(options)}`;

function emit(fields: string, count = 1): string {
  return call('test.emit', `["ADDED", ${fields}, null, null, ${count}]`);
}

async function done(asker: Conversation, line: string): Promise<void> {
  asker.send(line);
  await asker.answer();
}

t.test('events come verbatim, each a frame with the id, then one final frame', async (t) => {
  const daemon = await startDaemon(t);
  const [reader, asker] = await Promise.all([
    converse(t, daemon.socket),
    converse(t, daemon.socket),
  ]);
  reader.send(subscribe('test.event', { number: 2, id: [1], keep: true }));
  await until('the subscription', () => daemon.sandbox.countOf('core.subscribe') === 1);
  await done(asker, emit('{"big": 18446744073709551615, "n": 2.0}', 3));
  const params =
    '{"msg": "added", "collection": "test.event", "fields": {"big": 18446744073709551615, "n": 2.0}}';
  for (let n = 0; n < 2; n++) {
    t.equal(await reader.line(), `{"type":"event","id":[1],"event":${params}}`);
  }
  t.equal(await reader.line(), '{"type":"result","id":[1],"result":"number"}');
  reader.send(PING);
  t.equal(await reader.line(), '{"type":"result","result":"pong"}', 'the connection goes on');
});

t.test('one subscription serves all, takes no slot, and ends with the last', async (t) => {
  const daemon = await startDaemon(t, { args: ['--concurrency', '1'] });
  const { sandbox } = daemon;
  const readers = await Promise.all([1, 2, 3].map(() => converse(t, daemon.socket)));
  for (const reader of readers) reader.send(subscribe('test.event'));
  const asker = await converse(t, daemon.socket);
  await until('all to hear', async () => {
    await done(asker, emit('{}'));
    return readers.every(({ lines }) => lines.length > 0);
  });
  t.equal(sandbox.countOf('core.subscribe'), 1);
  readers[0]?.destroy();
  readers[1]?.destroy();
  await done(asker, emit('{"last": 1}'));
  t.equal(sandbox.countOf('core.unsubscribe'), 0);
  await until('it to be told', () => readers[2]?.lines.at(-1)?.includes('"last"') === true);
  readers[2]?.destroy();
  await until('the end of it', () => sandbox.countOf('core.unsubscribe') === 1);
  const again = await converse(t, daemon.socket);
  again.send(subscribe('test.event', { timeout: 0.1 }));
  t.equal(await again.line(), '{"type":"result","result":"timeout"}');
  await until('the end of it', () => sandbox.countOf('core.unsubscribe') === 2);
});

t.test('a source with arguments ends by itself, with its error if it has one', async (t) => {
  const daemon = await startDaemon(t);
  const reader = await converse(t, daemon.socket);
  reader.send(subscribe(ticker({ interval: 0.01, count: 2 }), { keep: true }));
  const frames = [await reader.frame(), await reader.frame(), await reader.frame()];
  t.match(frames, [
    { type: 'event', event: { fields: { n: 0 } } },
    { type: 'event', event: { fields: { n: 1 } } },
    { type: 'result', result: 'ended' },
  ]);
  reader.send(subscribe(ticker({ interval: 0.01, count: 0, error: 'disk on fire' })));
  t.match(await reader.frame(), {
    type: 'error',
    error: '[EIO] disk on fire',
    error_type: 'ClientException',
  });
});

t.test('wrong requests are told why', async (t) => {
  const daemon = await startDaemon(t);
  const reader = await converse(t, daemon.socket);
  const wrong: [string, RegExp][] = [
    ['{"command":"subscribe"}', /'event' is missing/],
    ['{"command":"subscribe","event":5}', /'event' must be a string/],
    ['{"command":"subscribe","event":"x","number":0}', /'number' must be a positive integer/],
    ['{"command":"subscribe","event":"x","number":1.5}', /'number' must be a positive integer/],
    ['{"command":"subscribe","event":"x","timeout":-1}', /'timeout' must be a positive number/],
    [`{"command":"subscribe","event":"${'x'.repeat(65_536)}"}`, /'event' is longer than 65536/],
  ];
  for (const [line, error] of wrong) {
    reader.send(`${line.replace('}', ',"keep":true}')}\n`);
    t.match(await reader.frame(), { type: 'error', error });
  }
});

for (const wire of ['', ':/websocket'])
  t.test(`F25: it is renewed after a lost connection, and the gap is told${wire}`, async (t) => {
    const around = await startDaemon(t);
    const daemon =
      wire === '' ? around : await startDaemon(t, { around, uri: `${around.uri}${wire}` });
    const { sandbox } = daemon;
    const [reader, asker] = await Promise.all([
      converse(t, daemon.socket),
      converse(t, daemon.socket),
    ]);
    reader.send(subscribe('test.event', { keep: true }));
    await until('an event', async () => {
      await done(asker, emit('{"n": 1}'));
      return reader.lines.length > 0;
    });
    sandbox.dropAll();
    await until('the gap', () => reader.lines.at(-1) === '{"type":"event","gap":true}');
    await done(asker, emit('{"n": 2}'));
    await until('the next event', () => reader.lines.at(-1)?.includes('"n": 2') === true);
    t.equal(reader.lines.filter((line) => line.includes('gap')).length, 1);
    reader.destroy();
    const isEnd = (text: string) => /"msg": "unsub", "id": "|"core.unsubscribe"/.test(text);
    await until('the end of it', () => sandbox.received.some(isEnd));
  });

for (const how of ['lost', 'expired'] as const)
  t.test(`F25: what comes over a session that was ${how} is told behind the gap`, async (t) => {
    const victims: Victim[] = [];
    let asked = 0;
    const told = (n: number) =>
      `{"jsonrpc": "2.0", "method": "collection_update", "params": {"msg": "added", "collection": "test.event", "fields": {"n": ${n}}}}`;
    const server = await startHostileServer(t, {
      onSubscribe: (each) => {
        victims.push(each);
        each.say(told((asked += 1)));
        return false; // the answer comes behind the event
      },
      onRequest: (each, { id, method }) => {
        if (method === 'core.ping' && how === 'expired') {
          const data =
            '{"error": 207, "reason": "[ENOTAUTHENTICATED] Not authenticated", "trace": null, "extra": null}';
          each.say(
            `{"jsonrpc": "2.0", "id": "${id}", "error": {"code": -32001, "message": "x", "data": ${data}}}`,
          );
        }
        if (method.startsWith('auth.login')) {
          each.answer(id, '{"response_type": "SUCCESS"}');
          if (asked === 1 && how === 'expired') each.say(told(++asked));
        }
      },
    });
    const home = makeHome(t);
    const daemon = await startDaemon(t, {
      around: { home, uri: server.uris.jsonrpc, sandbox: null as never },
      globals: ['-U', 'admin', '-P', 'admin-pw'],
      username: 'admin',
    });
    const reader = await converse(t, daemon.socket);
    reader.send(subscribe('test.event', { keep: true }));
    await until('an event', () => reader.lines.length > 0);
    if (how === 'lost') victims[0]!.socket.terminate();
    else void daemon.d(['ping']);
    await until('the next event', () => reader.lines.length >= 3);
    t.same(
      reader.lines.map((line) => /"n": ?\d|gap/.exec(line)?.[0].replace(' ', '')),
      ['"n":1', 'gap', '"n":2'],
    );
  });

t.test('a daemon that is stopped ends it with an error', async (t) => {
  const daemon = await startDaemon(t);
  const reader = await converse(t, daemon.socket);
  reader.send(subscribe('test.event'));
  await until('the subscription', () => daemon.sandbox.countOf('core.subscribe') === 1);
  daemon.child.kill('SIGTERM');
  t.match(await reader.frame(), { type: 'error', error: /shutting down/ });
  t.match(await daemon.exited, { code: 0 });
});

t.test('F31: nor does it wait for a subscription that the server does not answer', async (t) => {
  let asked = 0;
  const server = await startHostileServer(t, { onSubscribe: () => ++asked > 0 });
  const around = { home: makeHome(t), uri: '', sandbox: undefined as never };
  const daemon = await startDaemon(t, { around, uri: server.uris.jsonrpc });
  const reader = await converse(t, daemon.socket);
  reader.send(subscribe('test.event', { error_code: true }));
  await until('the server to be asked', () => asked === 1);
  const since = performance.now();
  daemon.child.kill('SIGTERM');
  t.match(await reader.frame(), { type: 'error', error: /shutting down/, code: 'SHUTDOWN' });
  t.match(await daemon.exited, { code: 0 });
  t.ok(performance.now() - since < 45_000, 'sooner than the server is given up');
});

t.test('a subscriber keeps the daemon from idling out, and one that leaves does not', async (t) => {
  const daemon = await startDaemon(t, { args: ['--lifetime', '3'] });
  const reader = await converse(t, daemon.socket);
  reader.send(subscribe('test.event', { timeout: 7 }));
  t.match(await reader.frame(), { type: 'result', result: 'timeout' }, 'two lifetimes later');
  t.match(await daemon.exited, { code: 0 });
});

t.test('F46: a flood of events harms neither a slow reader nor anybody else', async (t) => {
  const event = `{"jsonrpc": "2.0", "method": "collection_update", "params": {"msg": "added", "collection": "flood", "fields": {"x": "${'x'.repeat(200)}"}}}`;
  let timer: NodeJS.Timeout | undefined;
  t.teardown(() => {
    clearInterval(timer);
  });
  const server = await startHostileServer(t, {
    onSubscribe: ({ say, answer, socket }, id) => {
      answer(id, '"a-subscription"');
      timer ??= setInterval(() => {
        // What waits here for a busy reader would be before the answers to others' pings.
        for (let n = 0; n < 500 && socket.bufferedAmount < 1_000_000; n++) say(event);
      }, 5);
      return true;
    },
    onRequest: ({ answer }, { id }) => {
      answer(id, '"pong"');
    },
  });
  const around = { home: makeHome(t), uri: '', sandbox: undefined as never };
  const daemon = await startDaemon(t, { around, uri: server.uris.jsonrpc });
  // Reads nothing of what it is told.
  const slow = net.connect(daemon.socket);
  slow.on('error', () => undefined);
  slow.pause();
  slow.write(subscribe('flood'));
  t.teardown(() => slow.destroy());
  const quick = await converse(t, daemon.socket);
  quick.send(subscribe('flood', { number: 20_000, keep: true }));
  const asker = await converse(t, daemon.socket);
  let pings = 0;
  await until('20,000 events', async () => {
    asker.send('{"command":"ping","keep":true}\n');
    t.equal(await asker.line(), '{"type":"result","result":"pong"}');
    pings++;
    return quick.lines.at(-1) === '{"type":"result","result":"number"}';
  });
  t.ok(pings > 0, `${pings} pings meanwhile`);
  t.equal(quick.lines.filter((line) => line.includes('"x"')).length, 20_000);
  const megabytes = residentMegabytes(daemon.child.pid ?? 0);
  t.ok(megabytes < 250, `${megabytes} MB`);
  // It reads on, and is told that it has missed some.
  let text = '';
  slow.on('data', (chunk) => (text += chunk.toString()));
  slow.resume();
  await until('the gap', () => text.includes('{"type":"event","gap":true}\n'));
});
