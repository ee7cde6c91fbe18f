import type { Socket } from 'node:net';

/** Ends a connection with a reset, where it can still have one. */
export function reset(socket: Socket): void {
  // During an orderly end a reset never closes the handle: Node spins at its exit.
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
