/** `job …`: the jobs of the middleware. */
import { MidcltError } from '../../errors.js';
import type { Arguments } from '../args/arguments.js';

export function jobCommand(args: Arguments): Promise<number> {
  return Promise.reject(new MidcltError('REQUEST', `${args.name ?? ''} is not there yet`));
}
