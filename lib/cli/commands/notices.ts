/** What stderr is told beside the answer: why a call waits, and which daemons there are instead of the one asked for. */
import type { Address } from '../../protocol/client.js';
import type { Core } from '../../compose.js';
import type { StatusReport } from '../../protocol/status.js';
import { ownCommand } from '../../text/own-command.js';
import type { Arguments } from '../args/arguments.js';
import { look, lookAround } from './daemons.js';
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

type DaemonName = Pick<Arguments, 'uri' | 'username'>;

/** Says how to stop the daemons of the same URI and another user; without a URI, any that there is. */
export async function sayNearMatches(asked: DaemonName): Promise<void> {
  for (const { report } of await lookAround()) {
    if (!report || (asked.uri && report.uri !== asked.uri)) continue;
    const { uri, username } = report;
    const whose = [...(username ? [username] : []), uri ?? 'the local middleware'].join(' at ');
    sayLine(
      `There is one for ${whose}; '${ownCommand({ uri, username }, ['daemon-stop'])}' stops it`,
    );
  }
}
