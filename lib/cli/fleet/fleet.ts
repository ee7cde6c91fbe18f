import { MidcltError } from '../../errors.js';
import type { Arguments } from '../args/arguments.js';

export function runFleet(systems: readonly Arguments[]): Promise<number> {
  throw new MidcltError('REQUEST', `${systems.length} systems: to be made`);
}
