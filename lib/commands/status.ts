/** `status`: what the daemon says of itself. */
import { MidcltError } from '../errors.js';
import { oneStep } from '../steps.js';
import { ANSWERED_HERE, result, type Entry } from './entry.js';

export const STATUS: Entry = {
  format: { names: [], read: () => oneStep({}) },
  serve: ({ daemon }) => ({
    ...ANSWERED_HERE,
    run: () => {
      if (!daemon) throw new MidcltError('REQUEST', 'There is no daemon to tell its status');
      return Promise.resolve(result(Buffer.from(JSON.stringify(daemon.status()))));
    },
  }),
};
