/** An error as the frame that tells it. */
import { asMidcltError, publicText } from '../errors.js';
import { MessageType, type ErrorFrame } from './frames.js';

export function errorFrame(thrown: unknown): ErrorFrame {
  const cause = asMidcltError(thrown);
  const { errorType, trace, extra } = cause;
  return {
    type: MessageType.ERROR,
    error: publicText(cause),
    errorType,
    trace: trace && Buffer.from(trace.text),
    extra: extra && Buffer.from(extra.text),
    isNotSent: cause.code === 'SHUTDOWN',
    cause,
  };
}
