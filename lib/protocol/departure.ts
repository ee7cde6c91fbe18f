/** When a daemon that was told to stop is gone: the end of its connection comes before that. */
import { MidcltError } from '../errors.js';
import { socketIdentity } from '../files/paths.js';
import { hasEnded, pidBeside, viewProcess } from '../files/pid.js';

/** Milliseconds between two looks. */
const POLL = 10;
/**
 * Milliseconds that are waited. A daemon of this program is all but gone, unless another program runs it and goes
 * on; the Python one may have something to finish; of others only the socket is known.
 */
const PATIENCE = { node: 500, python: 60_000, unknown: 5000 };

/**
 * Looks at the daemon whose socket this is, before it is told to stop. Returns what resolves when that daemon is
 * gone as far as can be told, to be called when it has closed its connection. Rejects with a `HUNG` error if
 * a Python daemon stays.
 */
export function departureOf(socketPath: string): () => Promise<void> {
  const pid = pidBeside(socketPath);
  const runs = (pid === null ? null : viewProcess(pid)?.runs) ?? 'unknown';
  const before = socketIdentity(socketPath);
  // A pid file may be left over, and its number another process's by now.
  const isProcessThere = () => pid !== null && runs !== 'unknown' && !hasEnded(pid);
  const isSocketThere = () =>
    runs !== 'node' && before !== null && socketIdentity(socketPath) === before;
  return async () => {
    const deadline = performance.now() + PATIENCE[runs];
    while ((isProcessThere() || isSocketThere()) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
    if (runs !== 'python' || !isProcessThere()) return;
    throw new MidcltError(
      'HUNG',
      `The daemon (pid ${pid}) has agreed to stop and is still there. 'kill ${pid}' ends it`,
    );
  };
}
