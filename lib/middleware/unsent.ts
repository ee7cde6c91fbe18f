/** Errors of calls that were not sent, since something that comes before them took too long. */
import { MidcltError } from '../errors.js';

/** `waited`: milliseconds, for `what`. */
export function waitedInVain(waited: number, what: string): MidcltError {
  const seconds = Math.round(waited / 100) / 10;
  const text = `Call timeout: waited ${seconds} s for ${what}; the call was not sent`;
  return new MidcltError('TIMEOUT', text, { outcomeUnknown: false });
}
