/** Tells a daemon that takes its time from one that is stopped or hung: `connect()` succeeds to both. */
import type { Socket } from 'node:net';
import { MidcltError } from './errors.js';
import { pidBeside } from './pid.js';

/** In milliseconds. */
interface Patience {
  /** With silence, until the daemon is asked; doubles with every answer to that. */
  readonly silence: number;
  readonly longest: number;
  /** With its sign of life. */
  readonly answer: number;
}

const PATIENCE: Patience = { silence: 5000, longest: 60_000, answer: 5000 };

/** A daemon that does not know `status` says so, which is a sign of life, too. */
const QUESTION = '{"command":"status","close":true}\n';

/**
 * Watches a connection on which an answer is waited for. `onHung` is called once the daemon has shown no
 * sign of life, over this connection or one of its own that `connect` makes, for a while. Returns
 * what ends the watch.
 */
export function watchSilence(
  socket: Socket,
  connect: (patience: number) => Promise<Socket>,
  onHung: () => void,
  { silence, longest, answer } = PATIENCE,
): () => void {
  let pause = silence;
  let seen = socket.bytesRead;
  let asked: Socket | null = null;
  let isOver = false;
  let timer = setTimeout(look, pause);

  function look(): void {
    if (socket.bytesRead !== seen) {
      seen = socket.bytesRead;
      timer = setTimeout(look, pause);
      return;
    }
    timer = setTimeout(onHung, answer);
    const isAlive = () => {
      if (isOver) return;
      clearTimeout(timer);
      pause = Math.min(2 * pause, longest);
      timer = setTimeout(look, pause);
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
