/** `job …`: the jobs of the middleware. */
import { MidcltError } from '../../errors.js';
import type { Arguments } from '../args/arguments.js';
import { jobLog } from './download.js';

export function jobCommand(args: Arguments): Promise<number> {
  if (args.name === 'job log') return jobLog(args);
  return Promise.reject(new MidcltError('REQUEST', `${args.name ?? ''} is not there yet`));
}
