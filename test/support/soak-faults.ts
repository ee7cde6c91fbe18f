/** What goes wrong in a soak, one thing at a time. Each is one of docs/FAILURES.md. */
import { exchange } from './daemon.js';
import { DAEMON_FAULTS, ENDS } from './soak-daemon-faults.js';
import { pause } from './soak-clients.js';
import type { Trouble } from './soak-troubles.js';
import type { Stage } from './soak-stage.js';

type Act = (stage: Stage) => Promise<void> | void;

/** What breaks the connection. */
function loss(act: Act, kinds: readonly Trouble[] = ['loss']): Act {
  return (stage: Stage) => {
    stage.ledger.losses++;
    return stage.ledger.troubles.during(kinds, () => act(stage));
  };
}

const ODD = [
  '',
  ' ',
  '{',
  '[]',
  'null',
  '"x"',
  '{"jsonrpc": "2.0", "id": "nobody", "result": 1}',
  '{"jsonrpc": "2.0", "id": 1, "error": {"code": -32001, "message": 5}}',
  '{"jsonrpc": "2.0", "method": "collection_update", "params": 7}',
  '{"msg": "result", "id": "nobody", "result": 1}',
  '{"msg": "added", "collection": 5, "fields": null}',
  '{"jsonrpc": "2.0", "id": "nobody", "result": NaN, "result": [1,',
  '[[[[[[[[[[{"a": "\\ud800"}]]]]]]]]]]',
];

/** Those that break the connection cost a login where there is one. */
const LOSSES = {
  'server killed (F22, F24, F25)': loss(
    async ({ sandbox, dice }) => {
      await sandbox.kill();
      await pause(dice.random() * 200);
      await sandbox.restart();
    },
    ['loss', 'kill'],
  ),
  'server drops all (F24)': loss(({ sandbox }) => sandbox.ask('dropAll', true)),
  'message cut in the middle (F36)': loss(({ sandbox }) => sandbox.ask('cutMidMessage')),
  'server closes all (F22)': loss(({ sandbox }) => sandbox.ask('closeAll', 1001, 'going away')),
  'server refuses (F22)': loss(async ({ sandbox, dice }) => {
    await sandbox.ask('setRefusing', 502);
    await sandbox.ask('dropAll', true);
    await pause(dice.random() * 500);
    await sandbox.ask('setRefusing', null);
  }),
  'way cut (F24)': loss(({ proxy }) => {
    proxy.cut();
  }),
  'way swallows what is said (F20)': loss(({ proxy, dice }) => proxy.swallow(dice.random() * 800)),
} as const satisfies Record<string, Act>;

/** It is none over a Unix socket, which needs no login. */
const EXPIRY: Act = ({ sandbox }) => sandbox.ask('expireSessions');

const FAULTS: Readonly<Record<string, Act>> = {
  ...LOSSES,
  'sessions expire (F21)': EXPIRY,
  'server stalls (F40)': async ({ sandbox, dice }) => {
    await sandbox.ask('setStalled', true);
    await pause(dice.random() * 600);
    await sandbox.ask('setStalled', false);
  },
  'server stopped (F40)': async ({ sandbox, dice }) => {
    process.kill(sandbox.pid, 'SIGSTOP');
    await pause(dice.random() * 800);
    process.kill(sandbox.pid, 'SIGCONT');
  },
  'server talks nonsense (F36)': async ({ sandbox, dice }) => {
    for (let i = 0; i < 10; i++) await sandbox.ask('sendRaw', dice.pick(ODD));
  },
  'server answers again (F36)': async ({ sandbox, dice, transport }) => {
    const id = (await sandbox.ask('received')).slice(0, -100).map(idOf).findLast(Boolean);
    if (id === undefined) return;
    const answer = dice.pick(['{"result": "not yours"', '{"error": {"code": -32001}']);
    const legacy = transport.path === '/websocket' ? '"msg": "result"' : '"jsonrpc": "2.0"';
    await sandbox.ask('sendRaw', `${answer}, ${legacy}, "id": ${JSON.stringify(id)}}`);
  },
  'way held up (F40)': ({ proxy, dice }) => proxy.holdUp(dice.random() * 500),
  'transfers cut (F24)': loss(({ sandbox }) => sandbox.ask('cutTransfers')),
  'tokens expire (F21)': loss(({ sandbox }) => sandbox.ask('expireTokens')),
  ...DAEMON_FAULTS,
};

function idOf(message: string): unknown {
  // Events and jobs are asked for by the daemon itself; their answers would mean something.
  const found = /"id": ?"([^"]+)"/.exec(message.slice(0, 200));
  return message.includes('test.echo') ? found?.[1] : undefined;
}

/** It takes ten seconds to see that all slots are taken by calls that nobody waits for. */
const LONG: Readonly<Record<string, Act>> = {
  'slots full of calls given up (F39)': loss(async ({ daemon, ledger }) => {
    const entries = Array.from({ length: 10 }, () => ledger.ask({ close: true }, 0, ['stuck']));
    await Promise.all(
      entries.map(async (entry) => {
        const { frames } = await exchange(daemon.socket, entry.line);
        if (frames[0]) ledger.take(entry, frames[0]);
        else ledger.settle(entry, 'not sent');
      }),
    );
  }),
};

/** Milliseconds in which a budget of logins is spent. */
const MINUTE = 60_000;

export interface Fault {
  readonly name: string;
  readonly act: Act;
}

/** A fault that this transport can have now; those that take long only in a long soak. */
export function pickFault({ transport, spent, dice }: Stage, isLong: boolean): Fault {
  const now = performance.now();
  while (spent.length > 0 && spent[0]! < now - MINUTE) spent.shift();
  const canLose = spent.length + transport.cost <= transport.budget;
  const costs = (name: string) => name in LOSSES || name in LONG || FAULTS[name] === EXPIRY;
  const rest = isLong && dice.random() < 0.2 ? { ...FAULTS, ...LONG } : FAULTS;
  const all = transport.isMortal === true && dice.random() < 0.5 ? ENDS : rest;
  const possible = Object.entries(all).filter(
    ([name, act]) => (canLose || !costs(name)) && (transport.cost > 0 || act !== EXPIRY),
  );
  const [name, act] = dice.pick(possible);
  if (costs(name)) for (let i = 0; i < transport.cost; i++) spent.push(now);
  return { name, act };
}
