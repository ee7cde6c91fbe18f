/** `ping`: does the middleware answer? */
import { EMPTY_LIST } from '../json/members.js';
import { PING_TIMEOUT, type FinalFrame, type Timeout } from '../protocol/frames.js';
import { timeoutOf } from '../protocol/request-members.js';
import { oneStep } from '../steps.js';
import type { Context } from '../stream/verb.js';
import { checkVerification, patienceOf, result, type CommandOptions, type Entry } from './entry.js';

export interface PingMembers {
  readonly timeout: Timeout;
}

export const PING: Entry<PingMembers> = {
  format: {
    names: ['timeout'],
    read: (members) => oneStep({ timeout: timeoutOf(members.get('timeout'), 'timeout') }),
  },
  serve: (options) => ({
    check: (request) => {
      checkVerification(request, options);
    },
    slotClass: () => (options.concurrency === 1 ? 'call' : 'look-up'),
    patience: ({ timeout }) => patienceOf(timeout === undefined ? PING_TIMEOUT : timeout, null),
    run: (_request, context) => ping(context, options),
  }),
};

async function ping(
  { lease, timeout, deadline, cancellation }: Context,
  { connection }: CommandOptions,
): Promise<FinalFrame> {
  const options = { timeout, deadline, lease, cancellation };
  return result(await connection.call('core.ping', EMPTY_LIST, options));
}
