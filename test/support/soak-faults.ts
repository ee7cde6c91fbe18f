/** What goes wrong in a soak, one thing at a time. */
import type { SandboxProcess } from './sandbox-process.js';
import type { Dice } from './garbage.js';
import type { SoakClient } from './soak-clients.js';
import type { Ledger, Trouble } from './soak-ledger.js';
import type { SoakProxy } from './soak-proxy.js';

export interface Stage {
  readonly sandbox: SandboxProcess;
  readonly proxy: SoakProxy;
  readonly clients: readonly SoakClient[];
  readonly ledger: Ledger;
  readonly dice: Dice;
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What breaks the connection. */
const loss =
  (act: (stage: Stage) => Promise<void> | void, kinds: readonly Trouble[] = ['loss']) =>
  async (stage: Stage) => {
    stage.ledger.trouble(...kinds);
    await act(stage);
    stage.ledger.trouble(...kinds);
  };

export const FAULTS = {
  'the server is killed': loss(
    async ({ sandbox, dice }) => {
      await sandbox.kill();
      await pause(dice.random() * 200);
      await sandbox.restart();
    },
    ['loss', 'kill'],
  ),
  'the server drops all': loss(({ sandbox }) => sandbox.ask('dropAll')),
  'a message is cut': loss(({ sandbox }) => sandbox.ask('cutMidMessage')),
  'the server closes all': loss(({ sandbox }) => sandbox.ask('closeAll', 1001, 'going away')),
  'the way is cut': loss(({ proxy }) => {
    proxy.cut();
  }),
  'sessions expire': ({ sandbox }: Stage) => sandbox.ask('expireSessions'),
  'the server stalls': async ({ sandbox }: Stage) => {
    await sandbox.ask('setStalled', true);
    await pause(300);
    await sandbox.ask('setStalled', false);
  },
  'the way is held up': ({ proxy, dice }: Stage) => proxy.holdUp(dice.random() * 500),
  'a client is killed': ({ clients, dice }: Stage) => {
    dice.pick(clients).kill();
  },
} as const satisfies Record<string, (stage: Stage) => Promise<void> | void>;

export type Fault = keyof typeof FAULTS;
