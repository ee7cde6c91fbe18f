/** Uses the package as its users do: by its name, from a directory that has it installed. */
import fs from 'node:fs';
import type { Test } from 'tap';
import { Client, connect, type ClientOptions, type Connection } from '../../lib/index.js';
import { startSandbox } from '../../lib/sandbox/index.js';
import { startDaemon, type Surroundings } from './daemon.js';
import { makeHome, shell, type Finished } from './midclt.js';
import { ROOT } from './root.js';

/** A sandbox in a home that is this process's until the test ends. */
export async function ownSurroundings(t: Test): Promise<Surroundings> {
  const home = makeHome(t);
  const before = process.env.HOME;
  process.env.HOME = home;
  t.teardown(() => {
    process.env.HOME = before;
  });
  const sandbox = await startSandbox({ unix: `${home}/mw.sock` });
  t.teardown(() => sandbox.close());
  return { home, sandbox, uri: `ws+unix://${home}/mw.sock` };
}

/** A client of that sandbox, which the test's end closes. */
export async function connectClient(
  t: Test,
  { uri }: Surroundings,
  options: ClientOptions = {},
): Promise<Client> {
  const client = await Client.connect({ uri, ...options });
  t.teardown(() => client.close());
  return client;
}

/** Runs a script in a Node of its own; `stdout` has what it printed to both outputs. */
export function runScript(code: string, home: string, name = 'script.mjs'): Promise<Finished> {
  const modules = `${home}/node_modules`;
  fs.mkdirSync(modules, { recursive: true });
  fs.rmSync(`${modules}/midclt`, { force: true });
  fs.symlinkSync(ROOT, `${modules}/midclt`);
  fs.writeFileSync(`${home}/${name}`, code);
  return shell(`"${process.execPath}" ${name} 2>&1`, { home });
}

export interface Way {
  readonly name: string;
  readonly nas: Connection;
}

/** One connection of its own, one through a daemon, to a sandbox. */
export async function ways(t: Test): Promise<{ around: Surroundings; both: readonly Way[] }> {
  const around = await ownSurroundings(t);
  await startDaemon(t, { around });
  const { uri } = around;
  const direct = await connect({ uri });
  const daemon = await connect({ uri, daemon: true, autostart: false });
  t.teardown(() => Promise.all([direct.close(), daemon.close()]));
  const both = [
    { name: 'direct', nas: direct },
    { name: 'daemon', nas: daemon },
  ];
  return { around, both };
}

/** What it rejects with; `none` if it does not. */
export const failureOf = (work: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(work).then(
    () => 'none',
    (error: unknown) => error,
  );
