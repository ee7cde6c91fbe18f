/** Calls that are sent once more: over what, and when. */
import t from 'tap';
import { Calls, type Line } from '../../../lib/middleware/calls.js';
import type { Channel } from '../../../lib/middleware/channel/channel.js';
import { CallFailure } from '../../../lib/middleware/wire/failure.js';

t.test(
  'F21: one that was refused waits on where the next connection is lost at once',
  async (t) => {
    const expired = new CallFailure('[ENOTAUTHENTICATED] Not authenticated', -32001, 207);
    const channel = (answer: () => Promise<Buffer>) =>
      ({ isLoggedIn: true, call: answer }) as unknown as Channel;
    const refusing = channel(() => Promise.reject(expired));
    const answering = channel(() => Promise.resolve(Buffer.from('"done"')));
    // Closed by the server with the answer to the login.
    const channels = [refusing, null, answering];
    let asked = 0;
    const line: Line = {
      usable: () => channels.shift() ?? null,
      ready: () => {
        asked++;
        return Promise.resolve();
      },
      renew: () => true,
      newId: () => 'an-id',
      isAnonymous: false,
      log: () => undefined,
    };
    const result = await new Calls(line).call('test.echo', Buffer.from('[]'), { timeout: null });
    t.equal(result.toString(), '"done"');
    t.equal(asked, 2);
  },
);
