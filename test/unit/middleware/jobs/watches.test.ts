/** What events have told of jobs before their calls were answered. */
import t, { type Test } from 'tap';
import { JobEvents } from '../../../../lib/middleware/jobs/events.js';
import { JobWatches } from '../../../../lib/middleware/jobs/watches.js';
import { connectQuickly } from '../../../support/asked.js';
import { startHostileServer, type Victim } from '../../../support/hostile-server.js';
import { until } from '../../../support/midclt.js';

/** Who watches jobs of a server whose jobs name no requests, and a way to have that server tell of job 7. */
async function watched(t: Test) {
  let server: Victim | null = null;
  const { uris } = await startHostileServer(t, { onOpen: (victim) => (server = victim) });
  const connection = await connectQuickly(t, uris.legacy);
  const watches = new JobWatches(connection);
  let heard = 0;
  const events = new JobEvents(connection, {
    onEvent: (...event) => {
      watches.onEvent(...event);
      heard += 1;
    },
    onUntold: () => undefined,
  });
  await events.subscribe(null, null);
  return {
    watches,
    tell: async (kind: 'added' | 'changed', state: string, content: string) => {
      const before = heard;
      const fields = { id: 7, method: 'test.job', arguments: [content], state };
      server?.event(JSON.stringify(fields), kind);
      await until('the event', () => heard > before);
    },
    watch: (content: string) =>
      watches.add('test.job', Buffer.from(JSON.stringify([content])), () => undefined),
    /** The server goes, and is back. */
    restart: async () => {
      server?.socket.terminate();
      await until('the loss', () => connection.facts.reconnects === 1);
      await events.subscribe(null, null);
    },
  };
}

t.test(
  'F22, F25: what was told of a job before the server restarted is no news of the next of its number',
  async (t) => {
    const { watches, watch, tell, restart } = await watched(t);
    // As long as anybody watches, what events tell is kept.
    watch('another');
    await tell('changed', 'SUCCESS', 'of the old server');
    const early = watch('of the new one');
    t.equal(watches.announced(7, early), 'merged', 'the old job is not ours');

    await restart();
    const late = watch('of the new one');
    await tell('added', 'WAITING', 'of the new one');
    // Taken for merged into the old one, it would be sent again, and run twice.
    t.equal(watches.announced(7, late), 'ours');
  },
);

t.test('F25: a job that began while its caller watched is that caller’s', async (t) => {
  const { watches, watch, tell } = await watched(t);
  const asServerSays = 'with what the server adds';
  const ours = watch('as sent');
  await tell('added', 'RUNNING', asServerSays);
  await tell('changed', 'SUCCESS', asServerSays);
  t.equal(watches.announced(7, ours), 'ours', 'whatever the server shows of its arguments');
  watches.forget(ours);

  const joined = watch('as sent');
  await tell('added', 'WAITING', asServerSays);
  await tell('changed', 'WAITING', asServerSays);
  t.equal(watches.announced(7, joined), 'merged', 'two asked for it before it began');
});

t.test('F25: what was told when nobody was left to ask is forgotten', async (t) => {
  const { watches, watch, tell } = await watched(t);
  const gone = watch('another');
  await tell('changed', 'SUCCESS', 'of somebody else');
  watches.forget(gone);
  t.equal(watches.announced(7, watch('ours')), null);
});
