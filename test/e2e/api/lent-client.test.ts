/** A client that was lent to a daemon in this process, once that daemon has ended. */
import t from 'tap';
import { DaemonServer, getDaemonDir, runDaemon } from '../../../lib/index.js';
import { connectClient, ownSurroundings } from '../../support/api.js';
import { until } from '../../support/midclt.js';

t.test('it waits for a lost connection again', async (t) => {
  const around = await ownSurroundings(t);
  const client = await connectClient(t, around);
  const abort = new AbortController();
  const onReady = () => {
    abort.abort();
  };
  await runDaemon(client, 0, { abort: abort.signal, onReady });
  const server = new DaemonServer(`${getDaemonDir()}/mine.sock`, client);
  await server.listen();
  await server.shutdown();
  const events: string[] = [];
  const log = (_level: string, event: string) => events.push(event);
  const other = new DaemonServer(`${getDaemonDir()}/other.sock`, client, 0, { log });
  await other.listen();
  t.teardown(() => other.shutdown());
  around.sandbox.setRefusing(502);
  around.sandbox.dropAll();
  await until('the loss', () => events.includes('connection lost'));
  const pong = client.ping();
  around.sandbox.setRefusing(null);
  t.equal(await pong, 'pong');
});
