/** F37: the server runs one job and answers its id to the caller of another, which it never runs. */
import { writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { startDaemon, statusOf } from '../../support/daemon.js';
import {
  startHostileServer,
  type Heard,
  type HostileServer,
} from '../../support/hostile-server.js';
import { makeHome, midclt, until } from '../../support/midclt.js';
import { startSandboxProcess } from '../../support/sandbox-process.js';
import { talk } from '../../support/web-socket.js';

t.jobs = 3; // they wait, side by side

const NOT_RUN = 'the server merged this job with another and did not run it';
/** As the server's list of methods has it. */
const METHODS = '{"test.job": {"job": true}, "test.other": {"job": true}}';

interface Merging {
  readonly server: HostileServer;
  /** The ids of the job calls that came. */
  readonly sent: string[];
}

/** Merges the first `count` calls of `test.job` into a job that looks like `other` (members of JSON). */
async function startMerging(t: Test, count: number, other: string): Promise<Merging> {
  const sent: string[] = [];
  const server = await startHostileServer(t, {
    onRequest: (victim, heard) => {
      const { id, method, params } = heard;
      if (method === 'core.get_methods') victim.answer(id, METHODS);
      else if (method === 'core.get_jobs')
        victim.answer(id, `[{"id": 41, "time_started": 1, "state": "RUNNING", ${other}}]`);
      else if (method !== 'test.job')
        victim.answer(id, '"no such method"'); // core.job_wait, on the legacy wire
      else {
        sent.push(id);
        const isMerged = sent.length <= count;
        const job = isMerged ? 41 : 42;
        const ids = victim.isLegacy ? [] : isMerged ? ['another-1', id] : [id];
        const tell = (state: string, kind: 'added' | 'changed', result = 'null') =>
          victim.event(
            fieldsOf({ job, ids, state, result, heard, other: isMerged ? other : '' }),
            kind,
          );
        tell('WAITING', isMerged ? 'changed' : 'added');
        victim.answer(id, String(job));
        tell('RUNNING', 'changed');
        tell('SUCCESS', 'changed', isMerged ? '"not yours"' : JSON.stringify(params[0]));
      }
    },
  });
  return { server, sent };
}

function fieldsOf(about: {
  job: number;
  ids: readonly string[];
  state: string;
  result: string;
  heard: Heard;
  other: string;
}): string {
  const { job, ids, state, result, heard, other } = about;
  const own = `"method": "${heard.method}", "arguments": ${JSON.stringify(heard.params)}`;
  const rest = `"progress": {"percent": 0, "description": ""}, "time_started": ${job}`;
  return `{"id": ${job}, "message_ids": ${JSON.stringify(ids)}, ${other || own}, "state": "${state}", "result": ${result}, ${rest}}`;
}

const OTHERS = {
  'another method': '"method": "test.other", "arguments": ["mine"]',
  'other arguments': '"method": "test.job", "arguments": ["theirs"]',
};

for (const wire of ['jsonrpc', 'legacy'] as const) {
  for (const [what, other] of Object.entries(OTHERS)) {
    t.test(`F37: a job merged into one with ${what} is sent again (${wire})`, async (t) => {
      const { server, sent } = await startMerging(t, 2, other);
      const home = makeHome(t);
      const run = await midclt(['-u', server.uris[wire], 'call', '-q', '-j', 'test.job', 'mine'], {
        home,
      });
      t.match(run, { code: 0, stdout: 'mine\n' });
      t.equal(sent.length, 3);
      t.equal(new Set(sent).size, 3, 'each with an id of its own');
    });
  }

  t.test(`F37: a job that is merged every time fails and says so (${wire})`, async (t) => {
    const { server, sent } = await startMerging(t, Infinity, OTHERS['another method']);
    const run = await midclt(['-u', server.uris[wire], 'call', '-j', 'test.job', 'mine'], {
      home: makeHome(t),
    });
    t.match(run, { code: 1, stdout: '' });
    t.equal(run.stderr.trim().split('\n').at(-1), `test.job: ${NOT_RUN}; call it again`);
    t.ok(sent.length >= 3 && sent.length <= 10, `${sent.length} times`);
  });
}

for (const [what, shown] of [
  ['masked', '["********", "x"]'],
  ['the same, spelled otherwise', '[ "mine","\\u0078" ]'],
] as const) {
  t.test(`a merged job whose arguments are ${what} has its result`, async (t) => {
    const { server, sent } = await startMerging(
      t,
      1,
      `"method": "test.job", "arguments": ${shown}`,
    );
    const uri = server.uris.jsonrpc;
    const run = await midclt(['-u', uri, 'call', '-q', '-j', 'test.job', 'mine', 'x'], {
      home: makeHome(t),
    });
    t.match(run, { code: 0, stdout: 'not yours\n' });
    t.equal(sent.length, 1);
  });
}

t.test('F37: a job of our own is ours, however the server spells its arguments', async (t) => {
  let calls = 0;
  const { uris } = await startHostileServer(t, {
    onRequest: (victim, heard) => {
      if (heard.method !== 'test.job') return;
      calls += 1;
      const other = '"method": "test.job", "arguments": [5, {"filled": "in"}]';
      const about = { job: 7, ids: [heard.id], result: '"ours"', heard, other };
      victim.event(fieldsOf({ ...about, state: 'WAITING' }), 'added');
      victim.answer(heard.id, '7');
      victim.event(fieldsOf({ ...about, state: 'SUCCESS' }));
    },
  });
  const run = await midclt(['-u', uris.jsonrpc, 'call', '-q', '-j', 'test.job', '"5"'], {
    home: makeHome(t),
  });
  t.match(run, { code: 0, stdout: 'ours\n' });
  t.equal(calls, 1);
});

for (const path of ['/api/current', '/websocket']) {
  t.test(
    `F37: a call behind another client’s five jobs has its own result (${path})`,
    async (t) => {
      const home = makeHome(t);
      const sandbox = await startSandboxProcess(t, { unix: `${home}/mw.sock`, ws: 0 });
      const uri = `ws+unix://${home}/mw.sock:${path}`;
      const around = { home, uri, sandbox: sandbox as never };
      const daemon = await startDaemon(t, { around });
      t.match(await daemon.d(['call', '-q', '-j', 'test.job', '0', '0']), { code: 0 }); // it follows jobs
      const fillers = await Promise.all(
        [1, 2, 3, 4, 5].map(() => talk(t, `ws+unix:${home}/mw.sock:/api/current`)),
      );
      t.teardown(() => process.kill(sandbox.pid, 'SIGCONT'));
      process.kill(sandbox.pid, 'SIGSTOP');
      for (const filler of fillers)
        filler.send({ jsonrpc: '2.0', id: 'f', method: 'test.job_sync', params: [1, 0.1] });
      await until('the five to be on their way', () =>
        fillers.every(({ socket }) => socket.bufferedAmount === 0),
      );
      const run = daemon.d(['call', '-q', '-j', 'test.job', '1', '0.1', 'null', 'own']);
      await until('the call to be on its way', async () => {
        const { calls } = await statusOf(daemon.socket);
        return calls.in_flight === 1;
      });
      process.kill(sandbox.pid, 'SIGCONT');
      t.match(await run, { code: 0, stdout: 'own\n' });
      const byMethod = [[['method', '=', 'test.job']]];
      const { result } = await lastAnswer(fillers[0]!, 'core.get_jobs', byMethod);
      t.equal((result as unknown[]).length, 2, 'it was run once');
      t.equal(
        await sandbox.ask('countOf', 'test.job'),
        3,
        'and sent twice, for it was merged first',
      );
    },
  );

  t.test(`F37: of 64 jobs at once, each has its own result (${path})`, async (t) => {
    const home = makeHome(t);
    const sandbox = await startSandboxProcess(t, { unix: `${home}/mw.sock` });
    const requests = Array.from({ length: 64 }, (_, id) =>
      JSON.stringify({
        ...{ command: 'call', method: 'test.job', params: [1, 0.01, null, `own ${id}`] },
        ...{ kwargs: { job: true }, id },
      }),
    );
    writeFileSync(`${home}/requests`, requests.join('\n'));
    const uri = `ws+unix://${sandbox.unixPath}:${path}`;
    const args = ['-u', uri, 'batch', '--parallel', '8', `${home}/requests`];
    const { code, stdout } = await midclt(args, { home });
    t.equal(code, 0);
    const frames = stdout.trim().split('\n');
    t.same(
      frames.map((line) => JSON.parse(line) as unknown),
      requests.map((_, id) => ({ type: 'result', id, result: `own ${id}` })),
    );
  });
}

/** The answer to a call, whatever else came before it. */
async function lastAnswer(
  client: Awaited<ReturnType<typeof talk>>,
  method: string,
  params: unknown,
) {
  const id = `last ${Math.random()}`;
  client.send({ jsonrpc: '2.0', id, method, params });
  for (;;) {
    const message = await client.next();
    if (message.id === id) return message;
  }
}
