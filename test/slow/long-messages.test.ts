/** F26: long calls on a session that is not logged in, for which the server would close the connection. */
import t from 'tap';
import { startDaemon, surroundings } from '../support/daemon.js';
import { serverWithJournal, startBroken } from '../support/faults.js';
import { midclt, until } from '../support/midclt.js';
import { call, converse } from '../support/wire.js';

t.jobs = 4; // they wait, side by side

const LONG = 'x'.repeat(20_000);
const long = (name: string) => call('test.echo', JSON.stringify([name, LONG]));

t.test('F26: a long call of a local user without privileges hurts nobody', async (t) => {
  for (const path of ['', ':/websocket']) {
    const around = await surroundings(t, { unixIsRoot: false });
    const uri = around.uri + path;
    const daemon = await startDaemon(t, { around, uri });
    const other = await converse(t, daemon.socket);
    for (const length of [9000, 60_000, 9000]) {
      // A silent connection is closed after a second, and the command may take longer to start.
      other.send(call('core.ping', '[]', undefined, { keep: true }));
      const run = await daemon.d(['call', 'test.echo', 'x'.repeat(length)]);
      t.match(run, {
        code: 1,
        stdout: '',
        stderr:
          /^Request of \d+ characters for test\.echo on a session that is not logged in; the middleware takes 8192\n$/,
      });
      t.match(await other.frame(), { type: 'result', result: 'pong' });
    }
    const small = await daemon.d(['call', 'system.info']);
    t.match(small, { code: 1, stderr: /^\[ENOTAUTHENTICATED\] Not authenticated\n/ });
    t.equal(around.sandbox.countOf('test.echo'), 0);
    t.equal(around.sandbox.stats.connections, 1, 'over one connection');
    const direct = await midclt(['-u', uri, 'call', 'test.echo', LONG], around);
    t.match(direct, { code: 1, stderr: /not logged in/ });
  }
});

t.test('F26: long calls when the session has expired are made after the login', async (t) => {
  const daemon = await startBroken(t);
  const { sandbox } = daemon;
  const asleep = await converse(t, daemon.socket);
  for (let round = 1; round <= 3; round++) {
    // Otherwise the daemon closes the connection a second after the answer.
    asleep.send(call('test.sleep', '[1]', undefined, { keep: true }));
    await until('the sleep', () => sandbox.countOf('test.sleep') === round);
    sandbox.expireSessions();
    const clients = await Promise.all(Array.from({ length: 7 }, () => converse(t, daemon.socket)));
    for (const [index, each] of clients.entries())
      each.send(index % 3 === 0 ? call('test.echo', `["${index}"]`) : long(`${index}`));
    for (const [index, each] of clients.entries()) {
      const { type, result } = await each.frame();
      t.same([type, (result as string[])[0]], ['result', `${index}`]);
    }
    t.same(await asleep.frame(), { type: 'result', result: 1 }, 'what runs is not disturbed');
    t.equal(sandbox.stats.logins, 1 + round);
    t.equal(daemon.ran().length, 8 * round, 'each once');
  }
  t.equal(sandbox.stats.connections, 1);
});

t.test('F26: an expired local session is made anew for a long call, too', async (t) => {
  const { home, sandbox, uri } = await serverWithJournal(t);
  const daemon = await startDaemon(t, { around: { home, sandbox, uri } });
  await new Promise((resolve) => setTimeout(resolve, 16_000)); // younger ones are taken for strangers'
  const asleep = await converse(t, daemon.socket);
  asleep.send(call('test.sleep', '[3]'));
  await until('the sleep', () => sandbox.countOf('test.sleep') === 1);
  sandbox.expireSessions();
  t.match(await daemon.d(['call', 'test.echo', LONG]), { code: 0, stdout: `["${LONG}"]\n` });
  t.match(await asleep.frame(), { result: 3 }, 'what ran is not disturbed');
  t.equal(sandbox.stats.connections, 2);
});

t.test(
  'F24: a long call whose connection breaks before it is sent goes over the next',
  async (t) => {
    const daemon = await startBroken(t);
    const { sandbox, proxy } = daemon;
    t.match(await daemon.d(['call', '-j', 'test.job', '1', '0']), { code: 0 });
    sandbox.setStalled(true);
    const [first, second, status] = await Promise.all(
      [1, 2, 3].map(() => converse(t, daemon.socket)),
    );
    first!.send(call('test.job', JSON.stringify([1, 0, null, LONG]), { job: true }));
    second!.send(long('after'));
    await until('both to be asked for', async () => {
      status!.send('{"command":"status","keep":true}\n');
      const { result } = await status!.frame();
      return (result as { calls: { in_flight: number } }).calls.in_flight === 2;
    });
    proxy.cut('rst');
    sandbox.setStalled(false);
    t.match((await first!.answer()).at(-1), { type: 'result', result: LONG });
    t.match(await second!.frame(), { type: 'result', result: ['after', LONG] });
    const ran = daemon.ran().map(({ method }) => method);
    t.same(ran.sort(), ['test.echo', 'test.job', 'test.job'], 'each once');
  },
);
