/** A result's text as a stream of Node's. */
import { Readable } from 'node:stream';
import { reasonOf } from '../errors.js';
import type { DaemonRequest } from './request.js';
import { onAbort, type Way } from './way.js';

/** Asks when it is read, and reads no faster than it is read. */
export function streamOf(
  way: Way,
  request: DaemonRequest,
  signal: AbortSignal | undefined,
): Readable {
  const leaving = new AbortController();
  let goOn: () => void = () => undefined;
  let hasBegun = false;
  const stream = new Readable({
    read() {
      goOn();
      if (!hasBegun) begin();
    },
    destroy(error, done) {
      leaving.abort();
      goOn(); // nobody waits for room any more
      done(error);
    },
  });
  const abort = () => {
    if (signal) stream.destroy(reasonOf(signal));
  };
  const result = (piece: Buffer): Promise<void> | null =>
    stream.push(piece) ? null : new Promise<void>((resolve) => (goOn = resolve));
  const begin = () => {
    hasBegun = true;
    way.ask(request, { result }, leaving.signal).then(
      () => stream.push(null),
      (error: unknown) => stream.destroy(error as Error),
    );
  };
  if (signal?.aborted) abort();
  else if (signal) stream.once('close', onAbort(signal, abort));
  return stream;
}
