/** `download`: what a job writes, as a file. */
import { MidcltError } from '../../errors.js';
import type { Arguments } from '../args/arguments.js';

export function downloadCommand(args: Arguments): Promise<number> {
  return Promise.reject(new MidcltError('REQUEST', `${args.name ?? ''} is not there yet`));
}
