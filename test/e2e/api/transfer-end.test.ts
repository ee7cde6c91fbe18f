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
    t.ok(performance.now() - began < 3000, `${name}: at once`);

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
