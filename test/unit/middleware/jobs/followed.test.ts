/** What becomes of a call whose job the server tells of late, badly, or not at all. */
import t, { type Test } from 'tap';
import { Cancellation } from '../../../../lib/cancellation.js';
import { noLog } from '../../../../lib/logger.js';
import { CHECKUP } from '../../../../lib/middleware/jobs/look-up.js';
import { NO_LEASE } from '../../../../lib/stream/scheduler.js';
import { Jobs } from '../../../../lib/middleware/jobs/jobs.js';
import type { ProgressFrame } from '../../../../lib/protocol/frames.js';
import { startSandbox } from '../../../../lib/sandbox/index.js';
import { connectQuickly } from '../../../support/asked.js';
import {
  frame,
  startHostileServer,
  type Heard,
  type Victim,
} from '../../../support/hostile-server.js';
import { makeHome } from '../../../support/midclt.js';

t.jobs = 4; // they wait, side by side

const WIRES = ['jsonrpc', 'legacy'] as const;
const QUICK = { ...CHECKUP, silence: 200, silent: 100 };

type Ask = (method: string, params?: unknown[]) => Promise<string>;

/** Calls with `job: true`; resolves with the result, or the error's text. */
async function asking(
  t: Test,
  uri: string,
  pace = CHECKUP,
  onProgress: (frame: ProgressFrame) => void = () => undefined,
): Promise<Ask> {
  const connection = await connectQuickly(t, uri);
  const jobs = new Jobs(connection, noLog, pace);
  return async (method, params = []) => {
    try {
      const result = await jobs.call(method, Buffer.from(JSON.stringify(params)), {
        timeout: 20_000,
        onProgress,
        deadline: Infinity,
        lease: NO_LEASE,
        cancellation: new Cancellation(),
        isHeld: false,
      });
      return result.toString();
    } catch (error) {
      return (error as Error).message;
    }
  };
}

/** An error answer, such as to a method that is not there. */
function refuse({ isLegacy, say }: Victim, id: string): void {
  const legacy = `{"msg": "result", "id": "${id}", "error": {"error": 201, "reason": "no such method", "type": null, "trace": null, "extra": null}}`;
  const rpc = `{"jsonrpc": "2.0", "id": "${id}", "error": {"code": -32601, "message": "Method does not exist"}}`;
  say(isLegacy ? legacy : rpc);
}

function job(heard: Heard, state: string, more = ''): string {
  return `{"id": 103, "message_ids": ["${heard.id}"], "method": "test.job", "transient": false, "arguments": [], "time_started": 1, "state": "${state}", "progress": {"percent": 1, "description": "x"}${more}}`;
}

for (const wire of WIRES) {
  t.test(`a job that runs on is followed though no event came first (${wire})`, async (t) => {
    let ours: Heard | null = null;
    const { uris } = await startHostileServer(t, {
      onRequest: (victim, heard) => {
        const { id, method } = heard;
        if (method === 'test.job') {
          ours = heard;
          victim.answer(id, '103');
        } else if (method === 'core.get_jobs' && ours) {
          victim.answer(id, `[${job(ours, 'RUNNING')}]`);
          const about = ours;
          setTimeout(() => {
            victim.event(job(about, 'SUCCESS', ', "result": "at last"'));
          }, 300);
        } else refuse(victim, id);
      },
    });
    const ask = await asking(t, uris[wire]);
    t.equal(await ask('test.job'), '"at last"');
  });

  t.test(
    `a transient job that can’t be waited for is looked at until it ends (${wire})`,
    async (t) => {
      let ours: Heard | null = null;
      let looks = 0;
      const { uris } = await startHostileServer(t, {
        onRequest: (victim, heard) => {
          if (heard.method === 'test.job') {
            ours = heard;
            victim.answer(heard.id, '103');
          } else if (heard.method === 'core.get_jobs' && ours) {
            looks += 1;
            const state = looks < 3 ? 'RUNNING' : 'SUCCESS';
            const about = job(ours, state, ', "result": "seen"').replace(
              '"transient": false',
              '"transient": true',
            );
            victim.answer(heard.id, `[${about}]`);
          } else refuse(victim, heard.id);
        },
      });
      const ask = await asking(t, uris[wire], QUICK);
      t.equal(await ask('test.job'), '"seen"');
    },
  );
}

t.test('an event that names the request while it is looked up means: follow it', async (t) => {
  const { uris } = await startHostileServer(t, {
    onRequest: (victim, heard) => {
      const { id, method } = heard;
      if (method === 'core.get_jobs') victim.answer(id, '[]');
      else if (method === 'core.get_methods') victim.answer(id, '{"test.job": {"job": true}}');
      else if (method !== 'test.job')
        return; // core.job_wait is never answered
      else {
        victim.answer(id, '103');
        setTimeout(() => {
          victim.event(job(heard, 'RUNNING'));
        }, 100);
        setTimeout(() => {
          victim.event(job(heard, 'SUCCESS', ', "result": "at last"'));
        }, 400);
      }
    },
  });
  const ask = await asking(t, uris.jsonrpc);
  t.equal(await ask('test.job'), '"at last"');
});

t.test('after a reconnect a job is followed by its wait where it is not listed', async (t) => {
  let connections = 0;
  const { uris } = await startHostileServer(t, {
    onOpen: () => (connections += 1),
    onRequest: (victim, heard) => {
      const { id, method } = heard;
      if (method === 'test.job') victim.answer(id, '103');
      else if (method === 'core.get_methods') victim.answer(id, '{"test.job": {"job": true}}');
      else if (connections === 1) victim.socket.terminate();
      else if (method === 'core.get_jobs') victim.answer(id, '[]');
      else if (method === 'core.job_wait') {
        const wait = (state: string, more = '') =>
          job(heard, state, more).replace('test.job', 'core.job_wait').replace('103', '104');
        victim.event(wait('WAITING'), 'added');
        victim.answer(id, '104');
        setTimeout(() => {
          victim.event(wait('SUCCESS', ', "result": "waited for"'));
        }, 300);
      }
    },
  });
  const ask = await asking(t, uris.jsonrpc);
  t.equal(await ask('test.job'), '"waited for"');
});

for (const wire of WIRES) {
  t.test(
    `a job whose subscription is answered by a closing server waits for the next (${wire})`,
    async (t) => {
      let connections = 0;
      const { uris } = await startHostileServer(t, {
        onOpen: () => (connections += 1),
        onSubscribe: (victim, id) => {
          if (connections > 1) return false;
          const answer = victim.isLegacy
            ? `{"msg": "ready", "subs": ["${id}"]}`
            : `{"jsonrpc": "2.0", "id": "${id}", "result": "s"}`;
          // Both in one segment: the answer, and a close frame with the code 1001.
          victim.raw(Buffer.concat([frame(0x81, answer), frame(0x88, Buffer.from([3, 233]))]));
          return true;
        },
        onRequest: (victim, heard) => {
          victim.event(job(heard, 'WAITING'), 'added');
          victim.answer(heard.id, '103');
          victim.event(job(heard, 'SUCCESS', ', "result": "over the next"'));
        },
      });
      const ask = await asking(t, uris[wire]);
      t.equal(await ask('test.job'), '"over the next"');
      t.equal(connections, 2);
    },
  );
}

for (const wire of WIRES) {
  t.test(`F25: a look-up that is older than an event takes nothing back (${wire})`, async (t) => {
    let connections = 0;
    let ours: Heard | null = null;
    const { uris } = await startHostileServer(t, {
      onOpen: () => (connections += 1),
      onRequest: (victim, heard) => {
        const at = (percent: number, state = 'RUNNING') =>
          job(ours ?? heard, state, ', "result": "done"').replace(
            '"percent": 1',
            `"percent": ${percent}`,
          );
        if (heard.method === 'test.job') {
          ours = heard;
          victim.event(at(0, 'WAITING'), 'added');
          victim.answer(heard.id, '103');
          victim.event(at(10));
          setTimeout(() => {
            victim.socket.terminate();
          }, 100);
        } else if (heard.method === 'core.get_jobs') {
          // The server looked before the event, and answers after it.
          victim.event(at(50));
          victim.answer(heard.id, `[${at(30)}]`);
          setTimeout(() => {
            victim.event(at(50));
            victim.event(at(100, 'SUCCESS'));
          }, 100);
        } else refuse(victim, heard.id);
      },
    });
    const shown: number[] = [];
    const ask = await asking(t, uris[wire], CHECKUP, ({ percent }) => shown.push(Number(percent)));
    t.equal(await ask('test.job'), '"done"');
    t.equal(connections, 2);
    t.same(shown, [0, 10, 50, 100]);
  });
}

for (const path of ['/api/current', '/websocket']) {
  t.test(`F38: a job of which nothing is heard is looked at every minute (${path})`, async (t) => {
    const home = makeHome(t);
    const sandbox = await startSandbox({ unix: `${home}/s` });
    t.teardown(() => sandbox.close());
    const ask = await asking(t, `ws+unix://${home}/s:${path}`, QUICK);
    t.match(await ask('test.job_unserializable', ['result', 0.1]), /could not encode its result/);
    t.equal(await ask('test.job_unserializable', ['progress', 0.5]), '"done"');
    t.equal(await ask('test.job_unserializable', ['error', 0.5]), '[EIO] job failed on purpose');
    t.equal(await ask('test.job', [1, 1, null, 'silent']), '"silent"');
  });

  t.test(`a private transient job that is gone is not taken for a number (${path})`, async (t) => {
    const home = makeHome(t);
    const sandbox = await startSandbox({ unix: `${home}/s` });
    t.teardown(() => sandbox.close());
    const ask = await asking(t, `ws+unix://${home}/s:${path}`);
    const gone = /^test\.job_private answered 1, and the server does not say whether it is a job: /;
    t.match(await ask('test.job_private', [0, 0]), gone);
    t.equal(await ask('test.job_private', [4, 1, null, 'kept']), '"kept"');
    t.equal(await ask('test.int_private', [-7]), '-7', 'no job has such a number');
    t.equal(await ask('test.int', [7]), '7', 'the server says it is no job');
  });
}
