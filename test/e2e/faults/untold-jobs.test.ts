/** F38: jobs whose events, or records, the server can't put into JSON. */
import t from 'tap';
import { startDaemon, statusOf, surroundings } from '../../support/daemon.js';
import { startBroken, untilState } from '../../support/faults.js';
import { midclt, until } from '../../support/midclt.js';
import { call, converse } from '../../support/wire.js';

const JOB = { job: true };
const NO_RESULT =
  /^Job \d+ succeeded, but the server could not encode its result: Failed to JSON serialize server message$/m;

t.test('F38: a job whose end can’t be told ends all the same', async (t) => {
  const around = await surroundings(t);
  const daemon = await startDaemon(t, { around });
  for (const direct of [false, true]) {
    const run = (where: string) => {
      const args = ['call', '-j', '-jp', 'description', 'test.job_unserializable', where, '0.3'];
      return direct ? midclt(['-u', around.uri, ...args], { home: around.home }) : daemon.d(args);
    };
    const [result, progress, error, other] = await Promise.all([
      run('result'),
      run('progress'),
      run('error'),
      daemon.d(['call', '-q', '-j', 'test.job', '2', '0.4', 'null', 'another']),
    ]);
    t.match(result, { code: 1, stdout: '', stderr: NO_RESULT });
    t.match(progress, { code: 0, stdout: 'done\n' });
    t.match(error, { code: 1, stdout: '', stderr: /^\[EIO\] job failed on purpose$/m });
    t.match(other, { code: 0, stdout: 'another\n' });
  }
});

t.test(
  'F38: a job that nothing can be told of but its state is waited for to its end',
  async (t) => {
    const around = await surroundings(t);
    const daemon = await startDaemon(t, { around });
    const client = await converse(t, daemon.socket);
    client.send(call('test.job_unserializable', '["progress", 1.5]', JOB));
    const started = performance.now();
    t.match((await client.answer()).at(-1), { type: 'result', result: 'done' });
    t.ok(performance.now() - started > 1400, 'not before it ended');
  },
);

t.test('F38: after a reconnect a job that spoils the look-up loses no other', async (t) => {
  const daemon = await startBroken(t);
  const clients = await Promise.all(
    [
      call('test.job', '[6, 0.5, null, "a"]', JOB),
      call('test.job_unserializable', '["progress", 3]', JOB),
      call('test.job', '[6, 0.5, null, "b"]', JOB),
    ].map(async (line) => {
      const client = await converse(t, daemon.socket);
      client.send(line);
      return client;
    }),
  );
  await until('three jobs', async () => (await statusOf(daemon.socket)).jobs.followed === 3);
  await until('the one to be untold', () => daemon.ran().length === 3);
  // Behind the answers to those calls: a call whose answer is lost is not followed.
  t.match(await daemon.d(['ping']), { code: 0 });
  daemon.proxy.cut('rst');
  await untilState(daemon, 'ready', 2);
  const isFinal = (line: string) => !line.startsWith('{"type":"progress"');
  const finals = await Promise.all(
    clients.map(async (client) => {
      await until('the end of the job', () => client.lines.some(isFinal), 60_000);
      return (await client.answer()).at(-1);
    }),
  );
  t.match(finals, [{ result: 'a' }, { result: 'done' }, { result: 'b' }]);
  t.equal(daemon.ran().length, 3, 'none was started twice');
});
