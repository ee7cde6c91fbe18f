/** `stop`: the daemon is to end. */
import { abandoned, MidcltError } from '../errors.js';
import { quote } from '../json/members.js';
import { VERSION, isOlder, type FinalFrame, type Request } from '../protocol/frames.js';
import { flagOf } from '../protocol/request-members.js';
import { oneStep } from '../steps.js';
import type { Context } from '../stream/verb.js';
import { ANSWERED_HERE, result, type CommandOptions, type Entry } from './entry.js';

interface StopMembers {
  /** Only if nothing else is to be answered. */
  readonly ifIdle: boolean;
}

export const STOP: Entry<StopMembers> = {
  format: {
    names: ['if_idle'],
    read: (members) => oneStep({ ifIdle: flagOf(members.get('if_idle'), 'if_idle') }),
  },
  serve: (options) => ({
    ...ANSWERED_HERE,
    run: (request, context) => stop(request, context, options),
  }),
};

async function stop(
  { ifIdle, version, keep }: Request & StopMembers,
  { client, isThere }: Context,
  { daemon, log }: CommandOptions,
): Promise<FinalFrame> {
  if (!daemon) throw new MidcltError('REQUEST', 'There is no daemon to stop');
  // Who asks for `keep` stays to see the daemon's end, unless it has given up on a daemon that hung, and told its user so.
  if (keep && !(await isThere())) {
    log('info', 'stop not obeyed', { client, why: 'who asked for it has gone' });
    throw abandoned();
  }
  if (ifIdle && version !== null && !isOlder(VERSION, version)) {
    throw new MidcltError('REQUEST', `The daemon is of version ${VERSION} by now`);
  }
  if (!daemon.stop(ifIdle)) throw new MidcltError('REQUEST', 'The daemon is busy');
  log('info', 'stop requested', { client });
  return result(Buffer.from(quote('Daemon shutting down')));
}
