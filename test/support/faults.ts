/** What tests of a broken connection share: a daemon behind a line that breaks, its log, the calls that were run. */
import fs from 'node:fs';
import type { Test } from 'tap';
import { startSandbox, type SandboxOptions } from '../../lib/sandbox/index.js';
import { startDaemon, type RunningDaemon, type Surroundings } from './daemon.js';
import { makeHome, until } from './midclt.js';
import { startRelay, type RelayOptions } from './relay.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';

export interface Broken extends RunningDaemon {
  readonly proxy: TcpProxy;
  /** The calls that were run, in their order; those to log in and to follow jobs left out. */
  readonly ran: () => Call[];
}

export interface Call {
  readonly method: string;
  readonly params: unknown[];
}

export interface Logged {
  readonly level: string;
  readonly event: string;
  readonly why?: string;
  readonly ms?: number;
}

/** Keys hashed as often as the real server does take seconds on a busy machine. */
export const FAST = { iterations: 50_000 };

const STATES = ['connecting', 'authenticating', 'ready', 'waiting', 'closed'];
const ADMIN = { username: 'admin', env: { MIDCLT_PASSWORD: 'admin-pw' } };

/** A daemon that logs in as admin, over a line that the test breaks, to a sandbox with a journal. */
export async function startBroken(
  t: Test,
  options: Partial<SandboxOptions> & { args?: readonly string[] } = {},
): Promise<Broken> {
  const { args = [], ...server } = options;
  const around = await serverWithJournal(t, server);
  const proxy = await startTcpProxy(t, around.sandbox.wsPort!);
  const daemon = await startAdmin(t, around, proxy.port, args);
  return { ...daemon, proxy, ran: () => journalOf(around.journal) };
}

/** A daemon that logs in as admin over `ws:` at this port. */
export function startAdmin(
  t: Test,
  around: Surroundings,
  port: number,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<RunningDaemon> {
  const uri = `ws://127.0.0.1:${port}/api/current`;
  const admin = { ...ADMIN, env: { ...ADMIN.env, ...env } };
  return startDaemon(t, { around, uri, globals: ['-U', 'admin'], args, ...admin });
}

/** The same with somebody in between who reads and changes what they say. */
export async function startBetween(
  t: Test,
  options: Omit<RelayOptions, 'to'>,
  server: Partial<SandboxOptions> = {},
  env: NodeJS.ProcessEnv = {},
): Promise<Omit<Broken, 'proxy'>> {
  const around = await serverWithJournal(t, server);
  const to = `ws://127.0.0.1:${around.sandbox.wsPort}/api/current`;
  const relay = await startRelay(t, { to, ...options });
  const daemon = await startAdmin(t, around, relay.port, [], env);
  return { ...daemon, ran: () => journalOf(around.journal) };
}

/** The middleware's answer to a call on a session that is not logged in. */
export function notLoggedIn(id: string): string {
  const data =
    '{"error":207,"errname":"ENOTAUTHENTICATED","reason":"[ENOTAUTHENTICATED] Not authenticated"}';
  const error = `{"code":-32001,"message":"Method call error","data":${data}}`;
  return `{"jsonrpc":"2.0","error":${error},"id":"${id}"}`;
}

/** A message of the daemon's. */
export function readMessage(message: string): { id: string; method: string } {
  return JSON.parse(message) as { id: string; method: string };
}

export async function serverWithJournal(
  t: Test,
  options: Partial<SandboxOptions> = {},
): Promise<Surroundings & { journal: string }> {
  const home = makeHome(t);
  const journal = `${home}/journal`;
  const defaults = { rateLimit: false as const, failedLoginDelayMs: 20, scram: FAST };
  const unix = `${home}/mw.sock`;
  const sandbox = await startSandbox({ unix, ws: 0, journal, ...defaults, ...options });
  t.teardown(() => sandbox.close());
  return { home, sandbox, uri: `ws+unix://${unix}`, journal };
}

/** A daemon whose server refuses each `test.echo` for too many others. */
export function startBusy(t: Test): ReturnType<typeof startBetween> {
  return startBetween(t, {
    up: (message, { toClient }) => {
      const { id, method } = readMessage(message);
      if (method !== 'test.echo') return message;
      toClient(`{"jsonrpc":"2.0","error":{"code":-32000,"message":"busy"},"id":"${id}"}`);
      return null;
    },
  });
}

export function journalOf(path: string): Call[] {
  return fs
    .readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1) // one may be half written
    .map((line) => JSON.parse(line) as Call)
    .filter(({ method }) => method.startsWith('test.'));
}

export function logOf({ logFile }: Pick<RunningDaemon, 'logFile'>): Logged[] {
  return fs
    .readFileSync(logFile, 'utf8')
    .split('\n')
    .slice(0, -1) // one may be half written
    .map((line) => JSON.parse(line) as Logged);
}

/** The states the daemon's connection went through, in their order. */
export function statesOf(daemon: Pick<RunningDaemon, 'logFile'>): string[] {
  return logOf(daemon)
    .map(({ event }) => event)
    .filter((event) => STATES.includes(event));
}

/** Waits until the daemon's connection has been in a state so many times. */
export function untilState(
  daemon: Pick<RunningDaemon, 'logFile'>,
  state: string,
  times = 1,
  patience = 20_000,
): Promise<boolean> {
  return until(
    `${state} the ${times}. time`,
    () => statesOf(daemon).filter((each) => each === state).length >= times,
    patience,
  );
}
