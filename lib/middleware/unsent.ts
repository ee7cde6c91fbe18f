/** Errors of calls that were not run, since something that comes before them took too long. */
import { MidcltError } from '../errors.js';

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
