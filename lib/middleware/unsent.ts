/** Errors of calls that were not run, since something that comes before them took too long. */
import { MidcltError, asMidcltError } from '../errors.js';

/** `waited`: milliseconds, for `what`. */
export function waitedInVain(
  waited: number,
  what: string,
  is: 'sent' | 'run' = 'sent',
): MidcltError {
  const seconds = Math.round(waited / 100) / 10;
  const text = `Call timeout: waited ${seconds} s for ${what}; the call was not ${is}`;
  return new MidcltError('TIMEOUT', text, { outcomeUnknown: false });
}

/**
 * The error of what is asked before a call is sent, `what`, as the error of that call: its outcome is known. `waited`:
 * milliseconds.
 */
export function ofUnsent(thrown: unknown, waited: number, what: string): MidcltError {
  const error = asMidcltError(thrown);
  const { code, message, cause } = error;
  if (!error.outcomeUnknown) return error;
  if (code === 'TIMEOUT') return waitedInVain(waited, what);
  if (code !== 'PROTOCOL') return error; // the connection was lost: it is asked over the next
  const text = `${message.replace(/; the outcome is unknown$/, '')}; the call was not sent`;
  return new MidcltError(code, text, { cause, outcomeUnknown: false });
}
