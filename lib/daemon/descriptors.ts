/** How many connections a process can have: each takes a file descriptor, and not all of them are for connections. */
import fs from 'node:fs';

/** Where the system does not say it. Node raises the limit to the highest that it may have. */
const CAREFUL = 1024;
/** For Node itself, the middleware, the log, look-ups of a host's name. */
const OWN = 40;
/** At most, beyond the limit of connections; fewer where there are not many descriptors. */
const MOST_REFUSED = 64;
const MOST_GUESTS = 16;

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
