/** Jobs that are followed by their ids, while what is between breaks. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import t, { type Test } from 'tap';
import { exchange, startDaemon, type RunningDaemon } from '../support/daemon.js';
import { startBroken, untilState } from '../support/faults.js';
import { startHostileServer } from '../support/hostile-server.js';
import { finished, makeHome, midclt, spawnMidclt, until } from '../support/midclt.js';
import { startSandboxProcess } from '../support/sandbox-process.js';
import { call, converse, type Conversation, type Frame } from '../support/wire.js';

t.jobs = 4; // they wait, side by side

const DETACHED = { job: true, detach: true };

async function ask(daemon: RunningDaemon, line: string): Promise<Frame[]> {
  return (await exchange(daemon.socket, line, { halfClose: true })).frames;
}

/** Starts a job, and follows it from somewhere else. */
async function followed(t: Test, daemon: RunningDaemon, params: string, method = 'test.job') {
  const [started] = await ask(daemon, call(method, params, DETACHED));
  const id = started?.result as number;
  const client = await converse(t, daemon.socket);
  client.send(`{"command":"follow","job":${id},"version":"0.0.0"}\n`);
  await client.frame();
  return { id, client };
}

const last = async (client: Conversation) => (await client.answer()).at(-1);

t.test('F25: it is followed on when the connection was lost', async (t) => {
  const daemon = await startBroken(t);
  const jobs = await Promise.all([
    followed(t, daemon, '[6, 0.3, null, "a"]'),
    followed(t, daemon, '[6, 0.3, "callerror"]'),
    // Once it has ended, nobody knows it: it is to be there when the daemon comes back.
    followed(t, daemon, '[20, 0.4, null, "c"]', 'test.job_transient'),
  ]);
  daemon.proxy.cut('rst');
  await untilState(daemon, 'ready', 2);
  const [good, bad, transient] = await Promise.all(jobs.map(({ client }) => last(client)));
  t.match(good, { result: 'a' });
  t.match(bad, { error: '[EIO] job failed on purpose', extra: { hint: 'extra data' } });
  t.match(transient, { result: 'c' });
});

for (const path of ['/api/current', '/websocket'])
  t.test(`F25: a server that was restarted knows it no longer (${path})`, async (t) => {
    const home = makeHome(t);
    const sandbox = await startSandboxProcess(t, { unix: `${home}/mw.sock` });
    const around = { home, uri: `ws+unix://${home}/mw.sock:${path}`, sandbox: sandbox as never };
    const daemon = await startDaemon(t, { around });
    const { id, client } = await followed(t, daemon, '[99, 1, null, "mine"]');
    const began = Date.now();
    // Times in jobs are whole seconds.
    await until('the next second', () => Date.now() - began > 1100);
    await sandbox.restart();
    // The new server's first job has the same number.
    const other = await ask(daemon, call('test.job', '[2, 1, null, "not mine"]'));
    t.match(other, [{ result: id }]);
    t.match(await last(client), {
      type: 'error',
      error: new RegExp(`job ${id} ran, and the server knows it no longer.*outcome is unknown$`),
    });
    const cli = await daemon.d(['job', 'wait', `${id}`]);
    t.match(cli, { code: 0, stdout: 'not mine\n', stderr: '' }, 'by its number, that is the job');
  });

t.test('a daemon that is stopped ends it at once, and says that the job goes on', async (t) => {
  const daemon = await startBroken(t);
  const { id, client } = await followed(t, daemon, '[99, 1]');
  const cli = daemon.d(['job', 'follow', '-jp', 'description', `${id}`]);
  await until('both to be followed', async () => {
    const [status] = await ask(daemon, '{"command":"status"}\n');
    return (status?.result as { jobs: { followed: number } }).jobs.followed === 2;
  });
  t.match(await daemon.d(['daemon-stop']), { code: 0, stderr: 'Daemon shutting down\n' });
  const error = `The daemon is shutting down; job ${id} goes on at the server`;
  t.match(await last(client), { type: 'error', error, not_sent: true });
  t.match(await daemon.exited, { code: 0 });
  t.match(await cli, { code: 1, stdout: '', stderr: `Error: ${error}\n` });
});

for (const signal of ['SIGTERM', 'SIGKILL'] as const)
  t.test(`the command asks the next daemon, and so has the job’s result (${signal})`, async (t) => {
    const home = makeHome(t);
    const sandbox = await startSandboxProcess(t, { unix: `${home}/mw.sock` });
    const around = { home, uri: `ws+unix://${home}/mw.sock`, sandbox: sandbox as never };
    const daemon = await startDaemon(t, { around });
    // Still under way when the command has started.
    const { id } = await followed(t, daemon, '[20, 0.4, null, "end"]');
    const cli = daemon.d(['job', 'wait', `${id}`], { env: { MIDCLT_AUTOSTART: '1' } });
    await until('both to be followed', async () => {
      const [status] = await ask(daemon, '{"command":"status"}\n');
      return (status?.result as { jobs: { followed: number } }).jobs.followed === 2;
    });
    daemon.child.kill(signal);
    t.match(await cli, { code: 0, stdout: 'end\n' });
    t.match(await daemon.d(['daemon-stop']), { code: 0 });
  });

t.test('a daemon that is killed under call -j: the error has the number of the job', async (t) => {
  const daemon = await startDaemon(t);
  const args = ['call', '-j', '-jp', 'description', 'test.job', '99', '1'];
  const child = spawnMidclt(['-u', daemon.uri, '-d', ...args], { home: daemon.home });
  let seen = '';
  child.stderr.on('data', (chunk: Buffer) => (seen += chunk.toString()));
  const run = finished(child);
  await until('progress', () => seen.includes('step 1/'));
  daemon.child.kill('SIGKILL');
  const { code, stderr } = await run;
  t.equal(code, 1);
  t.match(stderr, /\nError: The daemon went away before it answered .* unknown\. Job 1 goes on/);
  t.match(stderr, new RegExp(`'midclt -u \\S+ -d job wait 1' waits for it\n$`));
});

t.test('a daemon that is killed: the error says how to wait on', async (t) => {
  const daemon = await startBroken(t);
  const { id } = await followed(t, daemon, '[99, 1]');
  const run = daemon.d(['job', 'wait', `${id}`]);
  await until('both to be followed', async () => {
    const [status] = await ask(daemon, '{"command":"status"}\n');
    return (status?.result as { jobs: { followed: number } }).jobs.followed === 2;
  });
  daemon.child.kill('SIGKILL');
  const { code, stderr } = await run;
  t.equal(code, 1);
  t.match(stderr, /^Error: The daemon went away before it answered .* unknown\. Job \d+ goes on/);
  t.match(stderr, new RegExp(`'midclt -u ws://\\S+ -U admin -d job wait ${id}' waits for it\n$`));
});

for (const wire of ['jsonrpc', 'legacy'] as const) {
  t.test(`a look-up without an answer holds up nobody (${wire})`, async (t) => {
    const { uris } = await startHostileServer(t, {
      onRequest: ({ answer }, { id, method }) => {
        if (method !== 'core.get_jobs') answer(id, '"pong"');
      },
    });
    const around = { home: makeHome(t), uri: uris[wire], sandbox: undefined as never };
    const daemon = await startDaemon(t, { around });
    const untold = 'Call timeout: the server has not told of job 7';
    const line = '{"command":"follow","job":7,"timeout":0.3}\n';
    t.match(await ask(daemon, line), [{ error: untold }]);
    const cli = daemon.d(['-t', '1', 'job', 'wait', '7']);
    t.match(await cli, { code: 1, stderr: `${untold}\n` });
    const left = await converse(t, daemon.socket);
    left.send(line.replace(',"timeout":0.3', ''));
    left.destroy();
    // It does not keep the daemon either.
    const stays = await converse(t, daemon.socket);
    stays.send(line.replace(',"timeout":0.3', ''));
    t.match(await daemon.d(['daemon-stop']), { code: 0 });
    t.match(await stays.frame(), { error: /shutting down/ });
  });

  t.test(`a follower takes no event from the caller whose job it is (${wire})`, async (t) => {
    const sent: string[] = [];
    const { uris } = await startHostileServer(t, {
      onRequest: (victim, { id, method }) => {
        if (method !== 'test.job') {
          if (method !== 'core.get_jobs') victim.answer(id, '"pong"');
          return;
        }
        sent.push(id);
        const ids = victim.isLegacy ? '' : `"${id}"`;
        // What is sent, and shown otherwise.
        const tell = (state: string, kind?: 'added') => {
          const fields = `"id": 7, "message_ids": [${ids}], "method": "test.job", "arguments": [1.5]`;
          victim.event(`{${fields}, "time_started": 1, "state": "${state}", "result": "x"}`, kind);
        };
        tell('WAITING', 'added');
        victim.answer(id, '7');
        tell('SUCCESS');
      },
    });
    const around = { home: makeHome(t), uri: uris[wire], sandbox: undefined as never };
    const daemon = await startDaemon(t, { around });
    const onlooker = await converse(t, daemon.socket);
    onlooker.send('{"command":"follow","job":7}\n');
    await until('it to be followed', async () => {
      const [status] = await ask(daemon, '{"command":"status"}\n');
      return (status?.result as { jobs: { followed: number } }).jobs.followed === 1;
    });
    const frames = await ask(daemon, call('test.job', '["sent"]', { job: true }));
    t.match(frames.at(-1), { result: 'x' });
    t.equal(sent.length, 1);
    t.match(await last(onlooker), { result: 'x' }, 'events are word enough');
  });
}

t.test('F16: what its client has left is not looked for again', async (t) => {
  const daemon = await startBroken(t);
  const { client } = await followed(t, daemon, '[99, 1]');
  const asked = () => daemon.sandbox.countOf('core.get_jobs');
  const before = asked();
  client.destroy();
  await until('nothing to be followed', async () => {
    const [status] = await ask(daemon, '{"command":"status"}\n');
    return (status?.result as { jobs: { followed: number } }).jobs.followed === 0;
  });
  daemon.proxy.cut('rst');
  await untilState(daemon, 'ready', 2);
  t.match(await daemon.d(['call', 'test.echo', '1']), { code: 0 });
  t.equal(asked(), before);
});

t.test(
  'a daemon that was killed may take connections for a moment, and answers none',
  async (t) => {
    const home = makeHome(t);
    const uri = 'ws+unix:///nowhere';
    const id = createHash('sha256').update(uri).digest('hex').slice(0, 12);
    fs.mkdirSync(`${home}/.midclt`, { mode: 0o700 });
    let first = 0;
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        first ||= Date.now();
        if (Date.now() - first < 300) socket.destroy();
        else socket.end('{"type":"result","result":"end"}\n');
      });
    });
    await new Promise<void>((resolve) =>
      server.listen(`${home}/.midclt/daemon-${id}.sock`, resolve),
    );
    t.teardown(() => server.close());
    t.match(await midclt(['-u', uri, '-d', 'job', 'wait', '7'], { home }), {
      ...{ code: 0, stdout: 'end\n', stderr: '' },
    });
  },
);
