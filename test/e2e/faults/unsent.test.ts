/** Calls that something else must be asked before: where that has no answer in time, it is said that they were not sent. */
import t from 'tap';
import { readMessage, startBetween } from '../../support/faults.js';
import { call, converse } from '../../support/wire.js';

t.jobs = 3; // they wait, side by side

const LONG = `["${'x'.repeat(9000)}"]`;

/** A call's error frame, with one method's requests on their way to the server kept, or answered so. */
async function failureOf(
  t: Parameters<typeof startBetween>[0],
  line: string,
  kept: string,
  answer?: (id: string) => string,
) {
  const daemon = await startBetween(t, {
    up: (message, { toClient }) => {
      const { id, method } = readMessage(message);
      if (method !== kept) return message;
      if (answer) toClient(answer(id));
      return null;
    },
  });
  const client = await converse(t, daemon.socket);
  client.send(line);
  const frame = await client.frame();
  t.equal(daemon.ran().length, 0);
  return frame;
}

t.test('F23: a long call whose session is not told of in time was not sent', async (t) => {
  const line = call('test.echo', LONG, { timeout: 0.5 }, { not_sent: true });
  t.match(await failureOf(t, line, 'auth.me'), {
    type: 'error',
    error: /^Call timeout: waited [\d.]+ s for the answer to auth\.me; the call was not sent$/,
    outcome: undefined,
  });
});

t.test('F36: a long call whose session is told of in no JSON was not sent', async (t) => {
  const line = call('test.echo', LONG, {}, { not_sent: true });
  const answer = (id: string) => `{"jsonrpc": "2.0", "id": "${id}", "result": {"a": tru}}`;
  t.match(await failureOf(t, line, 'auth.me', answer), {
    type: 'error',
    error:
      /^The middleware's answer to auth\.me is not valid JSON \(byte \d+\); the call was not sent$/,
    outcome: undefined,
  });
});

t.test('F23: a job whose events are not subscribed to in time was not started', async (t) => {
  const line = call('test.job', '[1, 0]', { job: true, timeout: 0.5 }, { not_sent: true });
  t.match(await failureOf(t, line, 'core.subscribe'), {
    type: 'error',
    error:
      /^Call timeout: waited [\d.]+ s for the subscription to the events of jobs; the call was not sent$/,
    outcome: undefined,
  });
});
