/** `upload`: files for a job to read. */
import { MidcltError } from '../../errors.js';
import type { Arguments } from '../args/arguments.js';

export function uploadCommand(args: Arguments): Promise<number> {
  return Promise.reject(new MidcltError('REQUEST', `${args.name ?? ''} is not there yet`));
}
