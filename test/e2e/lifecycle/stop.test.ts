/** F31: daemons that are stopped and listed, one or all of them. */
import fs from 'node:fs';
import net from 'node:net';
import t, { type Test } from 'tap';
import { wakeSleeper } from '../../support/daemon.js';
import { freeze, ground, isAlive, processOf, type Ground } from '../../support/lifecycle.js';
import { until } from '../../support/midclt.js';
import { call as line, converse } from '../../support/wire.js';

t.setTimeout(600_000);

const PONG = { code: 0, stdout: 'pong\n', stderr: '' };

/** Something that answers as the Python daemon does, and stops when it is told to. */
async function foreigner(t: Test, { home }: Ground, stem: string) {
  const socket = `${home}/.midclt/daemon-${stem}.sock`;
  const server = net.createServer((connection) => {
    connection.on('error', () => undefined);
    connection.once('data', (chunk: Buffer) => {
      const stops = chunk.includes('"stop"');
      const result = '{"type": "result", "result": "Daemon shutting down"}\n';
      const unknown =
        '{"type": "error", "error": "Unknown command: x", "error_type": "ValueError"}\n';
      connection.end(stops ? result : unknown);
      if (stops) server.close();
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.teardown(() => server.close());
  fs.writeFileSync(socket.replace(/sock$/, 'pid'), '4194304'); // nobody's
  return { socket, isListening: () => server.listening };
}

t.test('F31: after daemon-stop a new start works at once, however it is made', async (t) => {
  const place = await ground(t);
  const { d, run, uri, pid, home } = place;
  const seen = new Set<number>();
  for (let i = 0; i < 2; i++) {
    t.match(await d(['ping']), PONG);
    seen.add(pid()!);
    const stop = await run(['-u', uri, 'daemon-stop']);
    t.strictSame(stop, { code: 0, signal: null, stdout: '', stderr: 'Daemon shutting down\n' });
    t.same(fs.readdirSync(`${home}/.midclt`), ['logs'], 'its files are gone');
    t.match(await run(['-u', uri, 'daemon', '--detach']), { code: 0, stderr: '' });
    seen.add(pid()!);
    t.match(await place.sh('midclt daemon-stop && midclt -d ping && midclt daemon-stop'), {
      code: 0,
      stdout: 'pong\n',
      stderr: 'Daemon shutting down\nDaemon shutting down\n',
    });
  }
  t.equal(seen.size, 4);
  await place.settled();
});

t.test('F31: daemon-stop waits for a call in flight, which gets its answer', async (t) => {
  const place = await ground(t);
  const { d, run, uri, pid, sandbox } = place;
  const order: string[] = [];
  const call = d(['call', 'test.sleep', '2']);
  const job = d(['call', '-j', 'test.job', '2', '1']);
  void Promise.all([call, job]).then(() => order.push('answers'));
  await until(
    'both to be in flight',
    () => sandbox.countOf('test.sleep') + sandbox.countOf('test.job') === 2,
  );
  const daemon = pid()!;
  const stop = run(['-u', uri, 'daemon-stop']).then((finished) => {
    order.push(isAlive(daemon) ? 'stopped too early' : 'stopped');
    return finished;
  });
  t.match(await call, { code: 0, stdout: '2.0\n', stderr: '' });
  t.match(await job, { code: 0, stdout: 'done\n' });
  t.match(await stop, { code: 0, stderr: 'Daemon shutting down\n' });
  await until('it to be gone', () => !isAlive(daemon));
  t.ok(order.includes('answers'));
  t.match(await d(['ping']), PONG);
  t.not(pid(), daemon);
});

t.test('F31: who has sent a request and part of another gets an answer to each', async (t) => {
  const place = await ground(t);
  const { d, run, uri, files, sandbox } = place;
  t.match(await d(['ping']), PONG);
  const client = await converse(t, files().socket);
  client.send(`${line('test.sleep', '[3600]')}{"command":"ca`);
  await until('it to be in flight', () => sandbox.countOf('test.sleep') === 1);
  const stop = run(['-u', uri, 'daemon-stop']);
  await until('the daemon to go', () => !fs.existsSync(files().socket));
  wakeSleeper(sandbox);
  t.match(await client.frame(), { type: 'result', result: 3600 });
  t.match(await client.frame(), { type: 'error', error: /not sent/, not_sent: true });
  t.match(await stop, { code: 0 });
  await place.settled();
});

t.test('daemon-stop --all ends every daemon, waits for each, and says which', async (t) => {
  const place = await ground(t);
  const { d, admin, run, ws, uri, pid, sandbox } = place;
  t.match(await run(['daemon-stop', '--all']), {
    code: 1,
    stderr: 'No daemon is currently running\n',
  });
  t.match(await d(['ping']), PONG);
  t.match(await admin(['ping']), PONG);
  const python = await foreigner(t, place, '0123456789ab');
  const both = [pid()!, pid(ws, 'admin')!];
  const call = d(['call', 'test.sleep', '2']);
  await until('it to be in flight', () => sandbox.countOf('test.sleep') === 1);
  const stop = await run(['daemon-stop', '--all']);
  t.match(stop, { code: 0, stdout: '' });
  t.same(
    stop.stderr.split('\n').sort(),
    ['', ...[...both, 4194304].map((each) => `Daemon shutting down (pid ${each})`)].sort(),
  );
  t.match(await call, { code: 0, stdout: '2.0\n', stderr: '' });
  t.notOk(python.isListening());
  await place.settled();
  t.match(await run(['-u', uri, 'daemon-stop']), { code: 1, stderr: /No daemon/ });
});

t.test('daemon-list shows those that run, hang or are foreign; --json parses', async (t) => {
  const place = await ground(t);
  const { d, admin, run, uri, ws, pid } = place;
  t.match(await run(['daemon-list']), { code: 0, stdout: '', stderr: '' });
  t.match(await run(['daemon-list', '--json']), { code: 0, stdout: '', stderr: '' });
  t.match(await d(['ping']), PONG);
  t.match(await admin(['ping']), PONG);
  await foreigner(t, place, '0123456789ab');
  const [one, other] = [pid()!, pid(ws, 'admin')!];
  await freeze(one);

  const text = await run(['daemon-list']);
  t.equal(text.code, 0);
  const row = (id: number) =>
    text.stdout.split('\n').find((line) => line.startsWith(`${id}`)) ?? '';
  t.match(text.stdout, /^PID +STATE +UPTIME +USER +URI\n/);
  t.match(row(one), /hung/);
  t.match(row(other), /ready +\d\d:\d\d:\d\d +admin +ws:/);
  t.match(row(4194304), /foreign/);
  t.match(text.stderr, new RegExp(`pid ${one}\\) does not answer.*kill -KILL ${one}`));

  const json = await run(['daemon-list', '--json']);
  t.match(json, { code: 0, stderr: '' });
  const entries = json.stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { pid: number; state: string; status: object | null });
  const entry = (id: number) => entries.find((each) => each.pid === id);
  t.equal(entries.length, 3);
  t.match(entry(one), { state: 'hung', status: null });
  t.match(entry(other), { state: 'running', status: { username: 'admin', uri: ws, pid: other } });
  t.match(entry(4194304), { state: 'foreign', status: null });

  const stop = await run(['daemon-stop', '--all']);
  t.equal(stop.code, 1, 'one did not go');
  t.match(stop.stderr, `Daemon shutting down (pid ${other})`);
  t.match(stop.stderr, `kill -KILL ${one}`);
  t.equal(processOf(one).state, 'T');
  t.match(await run(['-u', uri, 'daemon-status']), { code: 1, stderr: /does not answer/ });
});

t.test('what a killed daemon left behind is no daemon', async (t) => {
  const place = await ground(t);
  t.match(await place.d(['ping']), PONG);
  const daemon = place.pid()!;
  process.kill(daemon, 'SIGKILL');
  await until('it to be gone', () => !isAlive(daemon));
  const none = { code: 1, stdout: '', stderr: 'No daemon is currently running\n' };
  t.match(await place.run(['-u', place.uri, 'daemon-stop']), none);
  t.match(await place.run(['-u', place.uri, 'daemon-status']), none);
  t.match(await place.run(['daemon-stop', '--all']), none);
  const list = await place.run(['daemon-list', '--json']);
  t.notMatch(list.stdout, /"running"|"hung"|"foreign"/);
  t.match(await place.d(['ping']), PONG);
});
