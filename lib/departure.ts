/** When a daemon that was told to stop is gone, where the end of its connection does not tell. */
import { MidcltError } from './errors.js';
import { socketIdentity } from './paths.js';
import { pidBeside, viewProcess } from './pid.js';

/** Milliseconds between two looks. */
const POLL = 20;
/** Milliseconds for a process that can be watched, and for one of which only the socket is known. */
const PATIENCE = { process: 60_000, socket: 5000 };

/**
 * Looks at the daemon whose socket this is, before it is told to stop. Returns what resolves when that
 * daemon is gone as far as can be told, to be called when it has closed its connection: for a daemon of this program that is its
 * end; the Python one goes on, and removes its socket and ends later. Rejects with a `HUNG` error if its process stays.
 */
export function departureOf(socketPath: string): () => Promise<void> {
  const pid = pidBeside(socketPath);
  const runs = pid === null ? undefined : viewProcess(pid)?.runs;
  if (runs === 'node') return () => Promise.resolve();
  // A pid file may be left over, and its number another process's by now.
  const watched = runs === 'python' ? pid : null;
  const before = socketIdentity(socketPath);
  const isThere = () =>
    (before !== null && socketIdentity(socketPath) === before) ||
    (watched !== null && viewProcess(watched) !== null);
  return async () => {
    const deadline = performance.now() + (watched === null ? PATIENCE.socket : PATIENCE.process);
    while (isThere() && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
    if (watched === null || !isThere()) return; // a socket may stay: systemd keeps its own
    throw new MidcltError(
      'HUNG',
      `The daemon (pid ${watched}) has agreed to stop and is still there. 'kill ${watched}' ends it`,
    );
  };
}
