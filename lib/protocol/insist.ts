/** Asks a daemon again that closes connections without reading what was sent. */
import { MidcltError } from '../errors.js';
import { socketIdentity } from '../files/paths.js';
import { pidBeside } from '../files/pid.js';

/** Times, and milliseconds between them, that a daemon is asked which closes connections unread. */
const UNREAD_TRIES = 5;
const UNREAD_PAUSE = 100;

/** The connection was closed with the request in it unread: by a daemon that ends, or can open no more files. */
export class Unread extends MidcltError {
  constructor() {
    super('NO_DAEMON', 'The daemon ended before it read the request; it was not sent');
  }
}

/**
 * Makes the attempt again while the same socket closes connections unread. Rejects with `BUSY` if it goes on
 * doing so. A daemon that ends has removed its socket, unless that is systemd's, and then the next one reads.
 */
export async function insistently<T>(socket: string, attempt: () => Promise<T>): Promise<T> {
  for (let left = UNREAD_TRIES; ; left--) {
    const before = socketIdentity(socket);
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Unread) || socketIdentity(socket) !== before) throw error;
      if (left === 0) throw closing(socket);
      await new Promise((resolve) => setTimeout(resolve, UNREAD_PAUSE));
    }
  }
}

function closing(socketPath: string): MidcltError {
  const pid = pidBeside(socketPath);
  const who = pid === null ? `The daemon at ${socketPath}` : `The daemon (pid ${pid})`;
  return new MidcltError(
    'BUSY',
    `${who} runs and closes every connection unread, as one does that can open no more files ('ulimit -n'). ` +
      'Nothing was sent; try again when it has fewer clients',
  );
}
