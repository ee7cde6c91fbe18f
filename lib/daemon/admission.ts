/**
 * Who is let in: how many connections this process has room for, each of which takes a file descriptor,
 * and what a connection wants, found out before anything is made for it.
 */
import fs from 'node:fs';
import type { Socket } from 'node:net';

/** Where the system does not say it. Node raises the limit to the highest that it may have. */
const CAREFUL = 1024;
/** For Node itself, the middleware, the log, look-ups of a host's name. */
const OWN = 40;
/** At most, beyond the limit of connections; fewer where there are not many descriptors. */
const MOST_REFUSED = 64;
const MOST_GUESTS = 16;

/** Bytes of a line that is looked at; what asks for the daemon's status or its end is short. */
const LONGEST = 4096;
const NEWLINE = 0x0a;

export interface Places {
  /** Connections that are served, whatever they ask. */
  readonly connections: number;
  /** Beyond those: who asks for the daemon's status or its end. */
  readonly guests: number;
  /** Beyond those: who has not said yet what it wants, or is told that there is no room. */
  readonly refused: number;
  /** Descriptors, if they are why there are fewer connections than were wanted. */
  readonly descriptors: number | null;
}

/** Divides the descriptors of this process; `wanted` connections, or as many as there can be. */
export function placesFor(wanted: number, descriptors = descriptorLimit()): Places {
  const free = Math.max(0, descriptors - OWN);
  const guests = Math.max(1, Math.min(MOST_GUESTS, Math.floor(free / 8)));
  const refused = Math.max(1, Math.min(MOST_REFUSED, Math.floor(free / 8)));
  const room = Math.max(1, free - guests - refused);
  const isLess = room < wanted;
  return {
    connections: isLess ? room : wanted,
    guests,
    refused,
    descriptors: isLess ? descriptors : null,
  };
}

function descriptorLimit(): number {
  try {
    const limits = fs.readFileSync('/proc/self/limits', 'latin1');
    const [, soft = ''] = /^Max open files +(\S+)/m.exec(limits) ?? [];
    return soft === 'unlimited' ? Infinity : Number(soft) || CAREFUL;
  } catch {
    return CAREFUL;
  }
}

/**
 * Calls back once, with the first line that comes, which can be read from the socket still. With null if the line is
 * too long, none comes in `patience` milliseconds, or the other side ends. Returns what makes it null at once.
 */
export function peekLine(
  socket: Socket,
  patience: number,
  onLine: (line: string | null) => void,
): () => void {
  let head = Buffer.alloc(0);
  const done = (line: string | null) => {
    clearTimeout(timer);
    socket.off('readable', onReadable);
    socket.off('end', giveUp);
    socket.off('close', giveUp);
    onLine(line);
  };
  const giveUp = () => {
    done(null);
  };
  const onReadable = () => {
    for (let chunk; (chunk = socket.read() as Buffer | null) !== null;) {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf(NEWLINE);
      if (end === -1 && head.length <= LONGEST) continue;
      if (end === -1 || end > LONGEST) {
        giveUp();
        return;
      }
      socket.unshift(head);
      done(head.toString('utf8', 0, end));
      return;
    }
  };
  const timer = setTimeout(giveUp, patience);
  socket.on('readable', onReadable);
  socket.once('end', giveUp);
  socket.once('close', giveUp);
  return giveUp;
}
