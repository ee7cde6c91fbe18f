/** A terminal is told after a second what a call waits for; a script is not. */
import fs from 'node:fs';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { startSandbox } from '../../../lib/sandbox/index.js';
import { startDaemon, surroundings, type RunningDaemon } from '../../support/daemon.js';
import { finished, missing, spawnMidclt, until } from '../../support/midclt.js';
import { onTerminal } from '../../support/terminal.js';

const skip = missing('script', 'stty');
const test = (name: string, body: (t: Test) => Promise<void>) => t.test(name, { skip }, body);
t.setTimeout(300_000);

/** A daemon on a middleware over TCP, which then goes away; and the way to bring it back. */
async function deserted(t: Test) {
  const around = await surroundings(t, { unix: undefined, ws: 0 });
  const port = around.sandbox.wsPort!;
  const uri = `ws://127.0.0.1:${port}/api/current`;
  const daemon = await startDaemon(t, {
    around,
    uri,
    username: 'admin',
    globals: ['-U', 'admin', '-P', 'admin-pw'],
  });
  await around.sandbox.close();
  await until('the daemon to be refused', () => /refused/.test(statusText(daemon)), 30_000);
  const comeBack = async () => {
    const again = await startSandbox({ ws: port });
    t.teardown(() => again.close());
  };
  return { daemon, uri, port, comeBack };
}

/** What the daemon has logged. */
const statusText = ({ logFile }: RunningDaemon) => fs.readFileSync(logFile, 'utf8');

test('F22: with -d a terminal is told that the middleware is away, and why', async (t) => {
  const { daemon, uri, port, comeBack } = await deserted(t);
  const told = `Waiting for 127.0.0.1:${port}: connection refused (ECONNREFUSED)`;
  const on = (command: string) =>
    onTerminal(t, `midclt -u ${uri} -U admin -d ${command}`, { home: daemon.home, columns: 200 });
  const runs = [on('call core.ping'), on('-t 120 ping'), on('call -j test.job 1 0.1')];
  const script = on('call core.ping 2>errors');
  for (const run of runs) await until('the notice', () => run.written().includes(told), 30_000);
  await comeBack();
  for (const run of runs) t.equal(await run.finished, 0);
  const [call, ping, job] = runs.map(({ screen }) => screen.lines);
  for (const [lines, last] of [
    [call, 'pong'],
    [ping, 'pong'],
    [job, 'done'],
  ] as const) {
    t.ok(lines?.[0]?.startsWith(told), 'the notice comes first');
    t.equal(lines?.filter((line) => line.startsWith('Waiting')).length, 1, 'and once');
    t.equal(lines?.at(-1), last);
  }
  t.equal(await script.finished, 0);
  t.strictSame(script.screen.lines, ['pong']);
  t.equal(fs.readFileSync(`${daemon.home}/errors`, 'utf8'), '', 'a script is told nothing');
});

test('with -d nothing is said of a middleware that takes its time', async (t) => {
  const daemon = await startDaemon(t);
  const run = onTerminal(t, `midclt -u ${daemon.uri} -d call test.sleep 2`, {
    home: daemon.home,
  });
  t.equal(await run.finished, 0);
  t.strictSame(run.screen.lines, ['2.0']);
});

test('without a daemon a terminal is told that there is no connection yet', async (t) => {
  const around = await surroundings(t);
  const silent = net.createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const uri = `ws://127.0.0.1:${port}/api/current`;
  const told = `Waiting for 127.0.0.1:${port}: no connection yet`;
  const script = spawnMidclt(['-u', uri, 'ping'], around);
  const run = onTerminal(t, `midclt -u ${uri} ping`, { home: around.home, columns: 200 });
  await until('the notice', () => run.written().includes(told), 30_000);
  script.kill();
  t.match(await finished(script), { stdout: '', stderr: '' }, 'a script is told nothing');
});
