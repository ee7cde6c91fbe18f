/** `login NAME`. */
import { MidcltError } from '../../errors.js';
import type { Arguments } from '../args/arguments.js';

export function loginCommand(args: Arguments): never {
  throw new MidcltError('REQUEST', `login ${args.profileName ?? ''}: to be made`);
}
