/** What errors say on a terminal alone. */
import t from 'tap';
import { errorForPerson } from '../../../lib/text/for-person.js';

t.test('errors for a person', async (t) => {
  const of = (error: string, seconds: number | null = null) =>
    errorForPerson(error, 'user.query', seconds);
  t.equal(of('Method does not exist'), 'Method does not exist: user.query');
  t.equal(of('Call timeout'), 'Call timeout: no answer to user.query');
  t.equal(of('Call timeout', 3), 'Call timeout: no answer to user.query within 3 s');
  t.equal(of('[EINVAL] no'), '[EINVAL] no');
});
