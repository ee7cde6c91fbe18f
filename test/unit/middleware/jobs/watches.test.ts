/** What events have told of jobs before their calls were answered. */
import t from 'tap';
import { JobEvents } from '../../../../lib/middleware/jobs/events.js';
import { JobWatches } from '../../../../lib/middleware/jobs/watches.js';
import { connectQuickly } from '../../../support/asked.js';
import { startHostileServer, type Victim } from '../../../support/hostile-server.js';
import { until } from '../../../support/midclt.js';

t.test(
  'F22, F25: what was told of a job before the server restarted is no news of the next of its number',
  async (t) => {
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
    /** The server tells of job 7. */
    const tell = async (kind: 'added' | 'changed', state: string, content: string) => {
      const before = heard;
      const fields = { id: 7, method: 'test.job', arguments: [content], state };
      server?.event(JSON.stringify(fields), kind);
      await until('the event', () => heard > before);
    };
    const watch = (content: string) =>
      watches.add('test.job', Buffer.from(JSON.stringify([content])), () => undefined);

    await events.subscribe(null, null);
    // As long as anybody watches, what events tell is kept.
    watch('another');
    await tell('changed', 'SUCCESS', 'of the old server');
    const early = watch('of the new one');
    t.equal(watches.announced(7, early), 'merged', 'the old job is not ours');

    (server as Victim | null)?.socket.terminate();
    await until('the loss', () => connection.facts.reconnects === 1);
    await events.subscribe(null, null);
    const late = watch('of the new one');
    await tell('added', 'WAITING', 'of the new one');
    // Taken for merged into the old one, it would be sent again, and run twice.
    t.equal(watches.announced(7, late), 'ours');
  },
);
