/** F6: a daemon whose socket was taken away from it finishes its work and goes. */
import fs from 'node:fs';
import net from 'node:net';
import t from 'tap';
import { startDaemon, wakeSleeper } from '../../support/daemon.js';
import { ground, isAlive, pidIn } from '../../support/lifecycle.js';
import { until } from '../../support/midclt.js';
import { call, converse } from '../../support/wire.js';

t.jobs = 4; // they wait, side by side

t.test('F6: its socket removed, it finishes what is in flight and ends', async (t) => {
  const daemon = await startDaemon(t, { args: ['--lifetime', '0'] });
  const idle = await converse(t, daemon.socket);
  const busy = await converse(t, daemon.socket);
  busy.send(call('test.sleep', '[3600]', undefined, { id: 1 }) + call('test.sleep', '[3600]'));
  await until('the call', () => daemon.sandbox.countOf('test.sleep') === 1);
  fs.unlinkSync(daemon.socket);
  await until('the idle connection to end', () => idle.ended(), 30_000);
  t.equal(daemon.child.exitCode, null, 'the call is still under way');
  wakeSleeper(daemon.sandbox);
  t.match(await busy.frame(), { id: 1, result: 3600 });
  t.match(await busy.frame(), { type: 'error', error: /shutting down/ });
  t.same(await daemon.exited, { code: 1, signal: null });
  t.equal(daemon.stderr(), `Error: The socket ${daemon.socket} was removed; the daemon ended\n`);
  t.match(fs.readFileSync(daemon.logFile, 'utf8'), /"level":"warning".*was removed/);
  t.notOk(fs.existsSync(daemon.pidFile));
});

for (const how of ['in the foreground', 'in the background'])
  t.test(`F6: clients that ask on do not keep it, ${how}`, async (t) => {
    const place = await ground(t);
    const { socket, pid } = place.files();
    if (how === 'in the background') await place.d(['ping']);
    else await startDaemon(t, { around: place });
    const first = pidIn(pid)!;
    // A job leaves timers behind that Node would wait for.
    const job = call('test.job', '[1, 0.1]', { job: true }, { keep: true });
    for (const line of [job, '{"command":"ping","keep":true}\n']) {
      const client = net.connect(socket);
      t.teardown(() => client.destroy());
      client.on('error', () => undefined);
      client.on('data', (data) => {
        if (/"result"|"error"/.test(data.toString())) client.write(line);
      });
      client.write(line);
    }
    await until('the job', () => place.sandbox.countOf('test.job') > 0);
    fs.unlinkSync(socket);
    // It looks every three seconds; a timer would keep it for a minute.
    await until('its end', () => !isAlive(first), 30_000);
  });

t.test('F5, F6: its socket replaced, it goes and leaves the other one alone', async (t) => {
  const first = await startDaemon(t);
  fs.unlinkSync(first.socket);
  const second = await startDaemon(t, { around: first });
  t.same(await first.exited, { code: 1, signal: null });
  // The second may take longer to start than the first to look.
  t.match(first.stderr(), /^Error: The socket .* was (replaced|removed); the daemon ended\n$/);
  t.equal(fs.readFileSync(second.pidFile, 'utf8'), String(second.child.pid));
  t.match(await second.d(['ping']), { code: 0, stdout: 'pong\n' });
  t.equal(second.child.exitCode, null);
});

t.test('F6: tmp cleaners leave no pile of daemons behind', async (t) => {
  const daemons = [await startDaemon(t)];
  for (let i = 0; i < 4; i++) {
    fs.rmSync(`${daemons[0]!.home}/.midclt`, { recursive: true, maxRetries: 20, retryDelay: 20 });
    daemons.push(await startDaemon(t, { around: daemons[0]! }));
  }
  const last = daemons.pop()!;
  for (const { exited } of daemons) t.match(await exited, { code: 1 });
  t.match(await last.d(['ping']), { code: 0, stdout: 'pong\n' });
  t.equal(daemons[0]!.sandbox.stats.open, 1);
});

t.test('F6: an old socket of the same name in another place is not its own', async (t) => {
  const daemon = await startDaemon(t);
  fs.renameSync(daemon.socket, `${daemon.socket}.old`);
  const other = net.createServer().listen(daemon.socket);
  t.teardown(() => other.close());
  t.match(await daemon.exited, { code: 1 });
  t.match(daemon.stderr(), /^Error: The socket .* was replaced; the daemon ended\n$/);
  t.ok(fs.existsSync(daemon.socket), 'it removed nothing');
  t.ok(fs.existsSync(`${daemon.socket}.old`));
});
