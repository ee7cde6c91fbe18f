/** The end of a daemon is made of steps, each of which is taken whatever became of those before it. */
import { isMidcltError, systemReason } from '../errors.js';
import type { Log } from '../logger.js';

/** Takes a step of the end; if it fails, the log is told, and nobody else. */
export function takeStep(log: Log, step: string, take: () => void): void {
  try {
    take();
  } catch (error) {
    const reason = isMidcltError(error) ? error.message : systemReason(error);
    log('warning', 'step of the end failed', { step, error: reason });
  }
}
