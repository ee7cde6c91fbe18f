/** F36: what a server that sends too much costs a daemon. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { startDaemon } from '../support/daemon.js';
import { frame, startHostileServer, type Victim } from '../support/hostile-server.js';
import { makeHome, until } from '../support/midclt.js';
import { residentMegabytes } from '../support/wire.js';

t.setTimeout(240_000);

const MB = 1024 * 1024;
const long = 'x'.repeat(20 * MB);
const manyKeys = `{${Array.from({ length: 1_000_000 }, (_, i) => `"k${i}": ${i}`).join(', ')}}`;

/** Messages that are far too large, and answer nobody. */
const HUGE: Readonly<Record<string, (victim: Victim) => void>> = {
  'no JSON of 20 MB': ({ say }) => {
    say(long);
  },
  'an answer of 20 MB to nobody': ({ answer }) => {
    answer('nobody', `"${long}"`);
  },
  'an error of 20 MB to nobody': ({ say }) => {
    say(`{"id": "nobody", "msg": "result", "error": {"message": "${long}", "reason": "${long}"}}`);
  },
  'an error of 20 MB without an id': ({ say }) => {
    say(`{"id": null, "error": {"message": "${long}"}}`);
  },
  'an event of 20 MB': ({ event }) => {
    event(`{"id": 5, "message_ids": ["${long}"], "method": "${long}", "state": "RUNNING"}`);
  },
  'a million keys': ({ say }) => {
    say(manyKeys);
  },
  'an event of a million keys': ({ event }) => {
    event(manyKeys);
  },
  'a million brackets': ({ answer }) => {
    answer('nobody', `${'['.repeat(1e6)}${']'.repeat(1e6)}`);
  },
};

/** A daemon of a server that answers every call with its first parameter. */
async function start(t: Test, wire: 'jsonrpc' | 'legacy') {
  const victims: Victim[] = [];
  const { uris } = await startHostileServer(t, {
    onOpen: (victim) => victims.push(victim),
    onRequest: ({ answer }, { id, params }) => {
      answer(id, JSON.stringify(params[0] ?? 'pong'));
    },
  });
  const around = { home: makeHome(t), uri: '', sandbox: undefined as never };
  const daemon = await startDaemon(t, { around, uri: uris[wire] });
  return { daemon, victims };
}

for (const wire of ['jsonrpc', 'legacy'] as const) {
  t.test(`F36: messages that are too large cost bounded memory (${wire})`, async (t) => {
    const { daemon, victims } = await start(t, wire);
    const pid = daemon.child.pid!;
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, residentMegabytes(pid))), 20);
    t.teardown(() => {
      clearInterval(watch);
    });
    for (const [name, send] of Object.entries(HUGE)) {
      most = 0;
      for (let i = 0; i < 3; i++) {
        for (const victim of victims) send(victim);
        const run = await daemon.d(['call', 'test.echo', String(i)]);
        t.match(run, { code: 0, stdout: `${i}\n` }, name);
      }
      t.ok(most < 700, `${name}: ${Math.round(most)} MB at most`);
    }
    t.equal(victims.length, 1, 'none of it ends the connection');
    t.equal(daemon.stderr(), '');
    const log = fs.statSync(daemon.logFile).size;
    t.ok(log < MB, `a log of ${log} bytes`);
  });
}

t.test('F36: a daemon survives a server that breaks off, whatever it says', async (t) => {
  const { daemon, victims } = await start(t, 'jsonrpc');
  const ends: readonly ((victim: Victim) => void)[] = [
    ({ raw }) => {
      // More pieces than ws puts up with.
      raw(frame(0x01, '{"a": "'));
      for (let i = 0; i < 300; i++) raw(Buffer.concat(Array<Buffer>(1000).fill(frame(0x00, 'x'))));
    },
    ({ raw }) => {
      raw(frame(0xff, 'x'));
    },
    ({ raw }) => {
      raw(frame(0x81, Buffer.from([0xc3, 0x28])));
    },
    ({ raw, socket }) => {
      raw(Buffer.from([0x81, 127, 0, 0, 0, 0, 0x40, 0, 0, 1])); // 1 GiB and a byte
      setImmediate(() => {
        socket.terminate();
      });
    },
  ];
  for (const [i, end] of ends.entries()) {
    end(victims.at(-1)!);
    await until('another connection', () => victims.length === i + 2);
    const run = await daemon.d(['call', 'test.echo', String(i)]);
    t.match(run, { code: 0, stdout: `${i}\n` });
  }
});
