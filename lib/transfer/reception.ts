/**
 * A file that a job writes, as a stream that ends well only if the body came to its proper end and the job has
 * succeeded: a job that fails in the midst ends the body as well.
 */
import { finished, Transform, type Readable } from 'node:stream';
import { isMidcltError, reasonOf } from '../errors.js';
import type { Target } from '../middleware/uri.js';
import { cut } from './answers.js';
import { fetchFile, type ServedFile } from './file-server.js';

/** Milliseconds of silence of the file server once the job has ended: with success, or without. */
const SILENCE = { running: Infinity, succeeded: 60_000, failed: 5_000 };
/** Milliseconds between two looks whether it is silent. */
const LOOK = 250;

export interface Reception {
  /** Rejects with the job's failure; null: the job has ended, and nobody writes any more. */
  readonly outcome: Promise<unknown> | null;
  readonly onBytes?: (count: number) => void;
  /** Gives it up: the stream fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Resolves when the file begins. Rejects as {@link fetchFile}, or with the job's failure, which says more than what
 * followed from it; so does the stream fail, or with `LOST`.
 */
export async function receiveFile(
  target: Target,
  path: string,
  { outcome, onBytes, signal }: Reception,
): Promise<ServedFile> {
  const stop = new AbortController();
  const job: { state: keyof typeof SILENCE; failure: unknown } = {
    state: outcome ? 'running' : 'succeeded',
    failure: null,
  };
  outcome?.then(
    () => (job.state = 'succeeded'),
    (failure: unknown) => {
      Object.assign(job, { state: 'failed', failure });
    },
  );
  let silence = 0;
  let bytes = 0;
  const body = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      silence = 0;
      bytes += chunk.length;
      onBytes?.(chunk.length);
      done(null, chunk);
    },
    flush(done) {
      clearInterval(timer);
      Promise.resolve(outcome).then(() => {
        done();
      }, done);
    },
  });
  const verdictOn = (error: unknown): Error => {
    if (signal?.aborted) return reasonOf(signal);
    if (job.state === 'failed') return job.failure as Error;
    if (stop.signal.aborted) {
      const why = outcome ? 'the job has ended, and no more came' : 'no more came';
      return cut(`after ${bytes} bytes`, new Error(why));
    }
    return isMidcltError(error) ? error : cut(`after ${bytes} bytes`, error);
  };
  const timer = setInterval(() => {
    // By looks and not by a clock: this process may have been stopped. A slow reader is no silent server.
    const isAwaited = body.readableLength === 0 && job.state !== 'running';
    silence = isAwaited ? silence + LOOK : 0;
    if (silence >= SILENCE[job.state]) stop.abort();
  }, LOOK);
  timer.unref(); // a body that nobody reads is not to keep the process alive
  const onAbort = () => {
    stop.abort();
  };
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort);
  const end = () => {
    clearInterval(timer);
    signal?.removeEventListener('abort', onAbort);
  };
  let served: ServedFile;
  try {
    served = await fetchFile(target, path, stop.signal);
  } catch (error) {
    end();
    throw verdictOn(error);
  }
  const source: Readable = served.body;
  finished(source, { writable: false }, (error) => {
    if (error) body.destroy(verdictOn(error));
  });
  body.once('close', () => {
    end();
    source.destroy();
  });
  source.pipe(body);
  return { body, name: served.name };
}
