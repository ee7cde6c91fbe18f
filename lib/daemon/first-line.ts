/** What a connection wants, found out before anything is made for it. */
import type { Socket } from 'node:net';

/** Bytes of a line that is looked at; what asks for the daemon's status or its end is short. */
const LONGEST = 4096;
const NEWLINE = 0x0a;

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
