/** What a terminal is told of a call that gets no answer because the middleware is away. */
import type { Address } from '../../protocol/client.js';
import type { Core } from '../../compose.js';
import type { StatusReport } from '../../protocol/status.js';
import { look } from './daemons.js';
import { sayLine } from '../output/output.js';

/**
 * Through a daemon, which knows whether it has a connection. `isOver`: there is an answer by now. Never
 * rejects: a daemon that answers nonsense is told of by the call itself.
 */
export async function sayWhyDaemonWaits(address: Address, isOver: () => boolean): Promise<void> {
  const { report } = await look(address);
  const middleware = (report as Partial<StatusReport> | null)?.middleware;
  if (!middleware || isOver()) return;
  const { uri, state, last_error } = middleware;
  if (state !== 'ready')
    sayLine(`Waiting for ${hostOf(uri)}: ${reasonOf(uri, last_error ?? state)}`);
}

/** Without a daemon. Nothing is said in the midst of a login: it may be asking for a code. */
export function sayNotConnected(core: Core): void {
  const { uri, state } = core.report().middleware;
  if (state === 'connecting') sayLine(`Waiting for ${hostOf(uri)}: no connection yet`);
}

/** A Unix socket has none. */
function hostOf(uri: string): string {
  return /^wss?:\/\/([^/?]+)/.exec(uri)?.[1] ?? uri;
}

/** The error without the URI that is named already. */
function reasonOf(uri: string, error: unknown): string {
  return String(error)
    .replace(`Cannot connect to ${uri}: `, '')
    .replace(`Connection to ${uri} lost`, 'connection lost');
}
