/** What connects with the options of a client. Apart from them, whose types are public. */
import type { Core, CoreOptions } from '../compose.js';
import type { Target } from '../middleware/uri.js';
import { DEFAULT_CONCURRENCY } from '../protocol/frames.js';
import { askOnce, callTimeoutIn, checkOptions, loginOf, type ClientOptions } from './login.js';

/** Rejects with `REQUEST` for one that makes no sense, or `FILES`. */
export async function coreOf(
  options: ClientOptions,
  more: Pick<CoreOptions, 'log' | 'isUnref' | 'endsSubscriptions'>,
): Promise<{ readonly core: Core; readonly target: Target }> {
  const { concurrency = DEFAULT_CONCURRENCY, callTimeout, otp = null } = options;
  checkOptions(options);
  const seconds = callTimeoutIn(callTimeout);
  const login = await loginOf(options);
  const { compose } = require('../compose.js') as typeof import('../compose.js');
  const core = compose({
    ...login,
    askOtp: askOnce(otp),
    concurrency,
    callTimeout: seconds,
    ...more,
  });
  return { core, target: login.target };
}
