/** The pipe between a daemon and its starter, where something else is on it. */
import t from 'tap';
import { handOver, HandoverReceiver } from '../../../lib/daemon/handover.js';
import { duplexPair } from '../../support/duplex-pair.js';

const SETTINGS = {
  ...{
    uri: null,
    username: null,
    insecure: false,
    ca: null,
    caFile: null,
    credential: null,
    callTimeout: 60,
  },
  ...{ lifetime: 600, logFile: null, logLevel: 'info' as const, concurrency: 8, linger: 1 },
  ...{ maxConnections: 1024, memory: 512 },
};
const WRONG = ['null', 'a secret', '{"a secret', '[]', '{"kind":"ready"}', '{"kind":"failed"}'];

t.test('a starter that is told anything else says so, and shows nothing of it', async (t) => {
  for (const line of WRONG) {
    const [ours, theirs] = duplexPair();
    theirs.resume();
    const over = handOver(ours, SETTINGS, null);
    theirs.write(`${line}\n{"kind":"ready","logFile":null}\n`);
    const error = await over.then(String, (reason: unknown) => reason as Error);
    t.match(error, { code: 'PROTOCOL', message: /^The pipe between .* do not say what became/ });
    t.notMatch(String(error), /secret/, line);
  }
});

t.test(
  'a daemon that is told anything else reports that, and does not wait for more',
  async (t) => {
    for (const line of [...WRONG, JSON.stringify({ ...SETTINGS, memory: null }), '{"uri":null}']) {
      const [ours, theirs] = duplexPair();
      let told = '';
      theirs.on('data', (data: Buffer) => (told += data.toString()));
      theirs.write(`${line}\n`);
      const received = new HandoverReceiver(ours).receive();
      await t.rejects(received, { code: 'PROTOCOL', message: /are no settings of a daemon's$/ });
      t.match(JSON.parse(told), { kind: 'failed', code: 'PROTOCOL' });
      t.notMatch(told, /secret/, line);
    }
  },
);
