/**
 * Tells a daemon that takes its time from one that is stopped or hung (`connect()` succeeds to both), and one
 * that has gone from one that is about to: the end of its connection comes before its own.
 */
import type { Socket } from 'node:net';
import { MidcltError } from '../errors.js';
import { hasEnded, pidBeside, socketIdentity, viewProcess } from '../files/paths.js';
import { steadyNow } from '../timer.js';

/** In milliseconds. */
export interface Patience {
  /** With silence, until the daemon is asked; doubles with every answer to that. */
  readonly silence: number;
  readonly longest: number;
  /** With its sign of life. */
  readonly answer: number;
  /** With the silence of a daemon that may be busy: it takes its lock before it reads. */
  readonly busy: number;
  /** With the silence of a daemon of this program that is not stopped: a machine that is starved may leave it no time. */
  readonly running: number;
  /** Does `busy` hold for a daemon of which it can't be told whose it is? */
  readonly unknownIsBusy: boolean;
}

/** The original's client, too, waits for 300 s. */
const PATIENCE: Patience = {
  silence: 5000,
  longest: 60_000,
  answer: 5000,
  busy: 300_000,
  running: 10_000,
  unknownIsBusy: true,
};

/** Null: it is not there, or can't be told. */
type View = ReturnType<typeof viewProcess>;

/** The daemon that is waited for. */
interface Watched {
  readonly path: string;
  readonly connect: (patience: number) => Promise<Socket>;
}

/**
 * May the daemon's silence mean that it is busy? A daemon of this program answers `status` whatever
 * it is at, unless it is hung. The Python one answers nothing while it makes a call, but does not if it is
 * stopped, either. Where it can't be told which it is, `otherwise` says.
 */
export function mayBeBusy(socketPath: string, otherwise: boolean): boolean {
  return isBusy(viewBeside(socketPath), otherwise);
}

function viewBeside(socketPath: string): View {
  const pid = pidBeside(socketPath);
  return pid === null ? null : viewProcess(pid);
}

function isBusy(view: View, otherwise: boolean): boolean {
  if (!view) return otherwise;
  if (view.isStopped) return false;
  return view.runs === null ? otherwise : view.runs === 'python';
}

/** Milliseconds of silence that are waited for in all, judging by what runs at the other end now. */
function patienceWith(socketPath: string, { busy, running, unknownIsBusy }: Patience): number {
  const view = viewBeside(socketPath);
  if (isBusy(view, unknownIsBusy)) return busy;
  return view?.runs === 'node' && !view.isStopped ? running : 0;
}

/** Milliseconds after its time that a timer rings if this process has been stopped, or starved. */
const LATE = 100;

/** A daemon that does not know `status` says so, which is a sign of life, too. */
const QUESTION = '{"command":"status","close":true}\n';

/**
 * Watches a connection on which an answer is waited for. `onHung` is called once the daemon has shown no
 * sign of life, over this connection or one of its own that `connect` makes, for a while: how long depends on
 * whether it {@link mayBeBusy}, or runs at all. Returns what ends the watch.
 */
export function watchSilence(
  socket: Socket,
  { path, connect }: Watched,
  onHung: () => void,
  patience: Patience = PATIENCE,
): () => void {
  const { silence, longest, answer } = patience;
  let pause = silence;
  let seen = socket.bytesRead;
  let lastSign = steadyNow();
  let asked: Socket | null = null;
  let isOver = false;
  let due = 0;
  let timer = ring(look, pause);

  function ring(step: () => void, wait: number): NodeJS.Timeout {
    due = steadyNow() + wait;
    return setTimeout(step, wait);
  }

  function look(): void {
    if (hasSpoken()) {
      timer = ring(look, pause);
      return;
    }
    timer = ring(judge, answer);
    const isAlive = () => {
      if (isOver) return;
      clearTimeout(timer);
      lastSign = steadyNow();
      pause = Math.min(2 * pause, longest);
      timer = ring(look, pause);
    };
    connect(answer).then((probe) => {
      if (isOver) {
        probe.destroy();
        return;
      }
      asked = probe;
      // Any answer will do, and so will an end: a stopped process closes nothing.
      probe.once('data', () => probe.destroy());
      probe.on('error', () => undefined);
      probe.once('close', isAlive);
      probe.write(QUESTION);
    }, isAlive); // it is gone: the watched connection says what that means
  }

  function hasSpoken(): boolean {
    if (socket.bytesRead === seen) return false;
    seen = socket.bytesRead;
    lastSign = steadyNow();
    return true;
  }

  /** The question has not been answered yet; it stays asked. */
  function judge(): void {
    const now = steadyNow();
    // What came while this process did not run is still unread: timers ring first.
    if (hasSpoken() || now > due + LATE) {
      timer = ring(judge, answer);
      return;
    }
    const left = lastSign + patienceWith(path, patience) - now;
    if (left > 0) timer = ring(judge, left);
    else onHung();
  }

  return () => {
    isOver = true;
    clearTimeout(timer);
    asked?.removeAllListeners('close').destroy();
  };
}

/** What there is to say about a daemon that shows no sign of life. */
export function hung(socketPath: string, consequence: string): MidcltError {
  const pid = pidBeside(socketPath);
  const advice =
    pid === null
      ? `Find its process with 'fuser ${socketPath}' and end that`
      : `'kill -CONT ${pid}' lets it go on if it is stopped, 'kill -KILL ${pid}' ends it`;
  const who = pid === null ? `The daemon at ${socketPath}` : `The daemon (pid ${pid})`;
  return new MidcltError('HUNG', `${who} does not answer${consequence}. ${advice}`);
}

/** Milliseconds between two looks. */
const DEPARTURE_POLL = 10;
/**
 * Milliseconds that are waited. A daemon of this program is all but gone, unless another program runs it and goes
 * on; the Python one may have something to finish; of others only the socket is known.
 */
const DEPARTURE_PATIENCE = { node: 500, python: 60_000, unknown: 5000 };

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
    const deadline = steadyNow() + DEPARTURE_PATIENCE[runs];
    while ((isProcessThere() || isSocketThere()) && steadyNow() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, DEPARTURE_POLL));
    }
    if (runs !== 'python' || !isProcessThere()) return;
    throw new MidcltError(
      'HUNG',
      `The daemon (pid ${pid}) has agreed to stop and is still there. 'kill ${pid}' ends it`,
    );
  };
}
