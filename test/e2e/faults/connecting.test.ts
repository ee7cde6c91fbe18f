/** A daemon whose middleware is slow, strict or gone while it starts. */
import fs from 'node:fs';
import net from 'node:net';
import t from 'tap';
import { startDaemon, surroundings } from '../../support/daemon.js';
import { finished, makeHome, midclt, spawnMidclt, until } from '../../support/midclt.js';

t.test('F13: a signal while it connects ends it at once and leaves nothing', async (t) => {
  const home = makeHome(t);
  let connected = 0;
  const silent = net.createServer(() => connected++).listen(`${home}/mw.sock`);
  t.teardown(() => silent.close());
  await until('the server', () => fs.existsSync(`${home}/mw.sock`));
  const child = spawnMidclt(['-u', `ws+unix://${home}/mw.sock`, 'daemon'], { home });
  const run = finished(child);
  await until('the connection', () => connected === 1);
  child.kill('SIGTERM');
  t.match(await run, { code: 0, stdout: '', stderr: '' });
  t.same(fs.readdirSync(`${home}/.midclt`), ['logs']);
});

t.test('F26: without a login only what the server takes from strangers is sent', async (t) => {
  const around = await surroundings(t, { ws: 0, rateLimit: false });
  const uri = `ws://127.0.0.1:${around.sandbox.wsPort}/api/current`;
  const daemon = await startDaemon(t, { around, uri });
  const long = await daemon.d(['call', 'core.ping', 'x'.repeat(9000)]);
  t.match(long, { code: 1, stderr: /the middleware takes 8192\n$/ });
  t.match(await daemon.d(['ping']), { code: 0, stdout: 'pong\n' });
});

t.test('a timeout of years waits its turn like any other', async (t) => {
  const daemon = await startDaemon(t, { args: ['--concurrency', '1'] });
  const busy = daemon.d(['call', 'test.sleep', '1']);
  await until('the slot to be taken', () => daemon.sandbox.countOf('test.sleep') === 1);
  t.match(await daemon.d(['-t', '99999999', 'call', 'core.ping']), { code: 0, stdout: 'pong\n' });
  t.match(await busy, { code: 0 });
});

t.test('F27: a width beyond what the server runs is refused', async (t) => {
  const run = await midclt(['daemon', '--concurrency', '19'], { home: makeHome(t) });
  t.match(run, { code: 2, stdout: '', stderr: /--concurrency.*18/ });
});
