/** How uploads and downloads of `connect` end that are not over: with the connection, and with all that they were given. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { failureOf, ownSurroundings, runScript, ways } from '../../support/api.js';
import { startDaemon } from '../../support/daemon.js';
import { until } from '../../support/midclt.js';

/** Has some bytes, and neither more nor an end. */
function endless(): Readable {
  const stream = new Readable({ read: () => undefined });
  stream.push('a');
  return stream;
}

t.test('closing the connection ends uploads and downloads at once', async (t) => {
  for (const { name, nas } of (await ways(t)).both) {
    const data = endless();
    const upload = nas.upload('filesystem.put', ['/mnt/x'], data);
    const uploaded = failureOf(upload);
    await until('some of it to be sent', () => data.readableDidRead);
    const slow = [50_000, { chunk: 10, delay: 30 }] as const;
    const { body } = await nas.download('test.download', slow);
    const downloaded = failureOf(buffer(body));
    const buffered = failureOf(nas.download('test.download', slow, { buffered: true }));

    const began = performance.now();
    await nas.close();
    t.match(await uploaded, { code: 'LOST', outcomeUnknown: true }, `${name}: upload`);
    t.ok(data.destroyed);
    t.equal(await upload.id, null);
    t.match(await downloaded, { code: 'LOST' }, `${name}: download`);
    t.match(await buffered, { code: /LOST|CLOSED/ }, `${name}: buffered download`);
    t.ok(performance.now() - began < 30_000, `${name}: at once`); // they take minutes

    const late = endless();
    const refused = { code: 'CLOSED', outcomeUnknown: false };
    t.match(await failureOf(nas.upload('filesystem.put', ['/mnt/x'], late)), refused);
    t.ok(late.destroyed);
    t.match(await failureOf(nas.download('test.download', slow)), refused);
  }
});

t.test('a process ends that closes its connection in the midst of an upload', async (t) => {
  const around = await ownSurroundings(t);
  await startDaemon(t, { around });
  for (const options of ['', 'daemon: true, autostart: false']) {
    const ended = await runScript(
      `import { connect } from 'midclt';
       import { Readable } from 'node:stream';
       const nas = await connect({ uri: '${around.uri}', ${options} });
       const data = new Readable({ read() { setImmediate(() => this.emit('asked')); } });
       const asked = new Promise((go) => data.once('asked', go));
       nas.upload('filesystem.put', ['/mnt/x'], data).catch((error) => console.log(error.code));
       await asked;
       await nas.close();
       setTimeout(() => { console.log('still here'); process.exit(1); }, 5000).unref();`,
      around.home,
    );
    t.match(ended, { code: 0, stdout: 'LOST\n' }, options);
  }
});

t.test('an upload that is refused or given up destroys all streams it was given', async (t) => {
  for (const { name, nas } of (await ways(t)).both) {
    const destroyed = async (
      what: string,
      expected: object,
      begin: (bare: Readable, named: Readable) => PromiseLike<unknown>,
    ) => {
      const [bare, named] = [endless(), endless()];
      t.match(await failureOf(begin(bare, named)), expected, `${name}: ${what}`);
      t.same([bare.destroyed, named.destroyed], [true, true], `${name}: ${what}`);
    };
    const put = ['/mnt/x'];
    const signal = AbortSignal.abort(new RangeError('no'));
    await destroyed('aborted before', RangeError, (bare, named) =>
      nas.upload('filesystem.put', put, [bare, { name: 'x', data: named }], { signal }),
    );
    await destroyed('parameters', { code: 'REQUEST' }, (bare, named) =>
      nas.upload('filesystem.put', [undefined], [bare, { name: 'x', data: named }]),
    );
    await destroyed('six files', { code: 'REQUEST' }, (bare, named) =>
      nas.upload('filesystem.put', put, [bare, 'a', 'b', 'c', 'd', { name: 'x', data: named }]),
    );
    await destroyed('a file that is missing', { code: 'FILES' }, (bare, named) =>
      nas.upload('filesystem.put', put, ['/nowhere', bare, { name: 'x', data: named }]),
    );
    await destroyed('a file that is none', { code: 'REQUEST' }, (bare, named) =>
      nas.upload('filesystem.put', put, [
        null as unknown as string,
        bare,
        { name: 'x', data: named },
      ]),
    );

    const busy = endless();
    const stop = new AbortController();
    const sending = failureOf(nas.upload('filesystem.put', put, busy, { signal: stop.signal }));
    await until('some of it to be sent', () => busy.readableDidRead);
    await destroyed('a stream that is in use', { code: 'REQUEST' }, (bare, named) =>
      nas.upload('filesystem.put', put, [bare, busy, { name: 'x', data: named }]),
    );
    t.notOk(busy.destroyed, `${name}: it is left to who uses it`);
    stop.abort();
    await sending;
    t.ok(busy.destroyed, name);

    const failing = new Readable({ read: () => undefined });
    const waiting = failureOf(nas.upload('filesystem.put', put, ['/nowhere', failing]));
    failing.destroy(new Error('disk on fire'));
    t.match(await waiting, { code: 'FILES' }, `${name}: one that fails before it is read`);
  }
});

t.test('any number of uploads may be begun at once, and one that waits be given up', async (t) => {
  for (const { name, nas } of (await ways(t)).both) {
    const uploads = Array.from({ length: 30 }, (_, i) =>
      nas.upload('test.upload', [{ i }], Buffer.from('x'.repeat(i + 1))),
    );
    const failures = await Promise.all(uploads.map(failureOf));
    t.same(new Set(failures), new Set(['none']), name);
    const ids = await Promise.all(uploads.map(({ id }) => id));
    t.equal(new Set(ids).size, 30, `${name}: each is a job of its own`);

    const stop = new AbortController();
    const busy = Array.from({ length: 4 }, endless);
    const sending = busy.map((data) =>
      failureOf(nas.upload('filesystem.put', ['/mnt/x'], data, { signal: stop.signal })),
    );
    await until('four to be sent', () => busy.every(({ readableDidRead }) => readableDidRead));
    const waiting = endless();
    const given = new AbortController();
    const { signal } = given;
    const fifth = failureOf(nas.upload('filesystem.put', ['/mnt/x'], waiting, { signal }));
    given.abort(new RangeError('enough'));
    t.type(await fifth, RangeError, `${name}: at once`);
    t.match(waiting, { destroyed: true, readableDidRead: false });
    const last = endless();
    const closed = failureOf(nas.upload('filesystem.put', ['/mnt/x'], last));
    stop.abort();
    await Promise.all(sending);
    await until('the next to have its turn', () => last.readableDidRead);

    const more = Array.from({ length: 5 }, endless);
    const ended = more.map((data) => failureOf(nas.upload('filesystem.put', ['/mnt/x'], data)));
    await nas.close();
    t.match(await closed, { code: 'LOST' }, name);
    for (const failure of await Promise.all(ended)) t.match(failure, { code: /LOST|CLOSED/ });
    t.match(await ended[4], { code: 'CLOSED', outcomeUnknown: false }, `${name}: it was not sent`);
    t.ok(more.every(({ destroyed }) => destroyed));
  }
});
