/** Ctrl-C, and SIGTERM, in what waits for a job: on a terminal and off one, with a daemon and without. */
import t, { type Test } from 'tap';
import {
  exchange,
  startDaemon,
  statusOf,
  surroundings,
  type Surroundings,
} from '../../support/daemon.js';
import { startHostileServer } from '../../support/hostile-server.js';
import {
  finished,
  makeHome,
  midclt,
  missing,
  spawnMidclt,
  until,
  type Finished,
} from '../../support/midclt.js';
import { onTerminal } from '../../support/terminal.js';
import { call } from '../../support/wire.js';

t.jobs = 4; // they wait, side by side

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

interface Way extends Surroundings {
  /** The state of a job by now. */
  readonly stateOf: (id: number) => Promise<string | undefined>;
  readonly globals: readonly string[];
  /** The daemon's. */
  readonly socket: string;
}

async function onTheWay(t: Test, way: readonly string[], wire = ''): Promise<Way> {
  const around = await surroundings(t);
  const { home } = around;
  const uri = `${around.uri}${wire}`;
  const daemon = await startDaemon(t, { around, uri });
  const stateOf: Way['stateOf'] = async (id) => {
    const line = call('core.get_jobs', `[[["id", "=", ${id}]]]`);
    const { frames } = await exchange(daemon.socket, line, { halfClose: true });
    return (frames[0]?.result as { state: string }[])[0]?.state;
  };
  const globals = ['-u', uri, ...way];
  return { ...around, home, uri, stateOf, globals, socket: daemon.socket };
}

/** Runs it until stderr has `text`, sends the signal, and then does something else. */
async function interrupted(
  { home, globals }: Pick<Way, 'home' | 'globals'>,
  args: readonly string[],
  text: string,
  signal: NodeJS.Signals = 'SIGINT',
  then: (child: ReturnType<typeof spawnMidclt>, seen: () => string) => Promise<unknown> = () =>
    Promise.resolve(),
): Promise<Finished> {
  const child = spawnMidclt([...globals, ...args], { home });
  let seen = '';
  child.stderr.on('data', (chunk: Buffer) => (seen += chunk.toString()));
  const run = finished(child);
  await until(text, () => seen.includes(text));
  child.kill(signal);
  await then(child, () => seen);
  return run;
}

/** The last line of stderr. */
const lastLine = ({ stderr }: Finished) => stderr.trimEnd().split('\n').at(-1);

const CALL = ['call', '-j', '-jp', 'description'];

for (const [way, wire] of [
  [['-d'], ''],
  [[], ''],
  [['-d'], ':/websocket'],
] as const) {
  const how = `${way.length ? 'through a daemon' : 'without a daemon'}${wire && ', legacy'}`;

  t.test(`F16: ${how} the job goes on, and what can be typed is told`, async (t) => {
    const here = await onTheWay(t, way, wire);
    const command = (name: string, id: number) =>
      `'midclt -u ${here.uri} ${way.length ? '-d ' : ''}job ${name} ${id}'`;
    const text = (id: number) =>
      `Interrupted. Job ${id} goes on at the server; ${command('wait', id)} waits for it, ${command('abort', id)} ends it`;
    for (const [index, signal] of SIGNALS.entries()) {
      const job = ['test.job_abortable', '300', '1'];
      const run = await interrupted(here, [...CALL, ...job], 'step 1/', signal);
      t.match(run, { code: null, signal, stdout: '' });
      t.equal(lastLine(run), text(index + 1));
    }
    const followed = ['job', 'follow', '-jp', 'description', '2'];
    t.equal(lastLine(await interrupted(here, followed, 'step ')), text(2));
    for (const id of [1, 2]) t.equal(await here.stateOf(id), 'RUNNING');
  });

  t.test(`${how} --abort-on-interrupt aborts the job, and waits for that`, async (t) => {
    const here = await onTheWay(t, way, wire);
    const job = ['--abort-on-interrupt', 'test.job_abortable', '300', '1'];
    for (const [index, signal] of SIGNALS.entries()) {
      const id = index + 1;
      const run = await interrupted(here, [...CALL, ...job], 'step 1/', signal);
      t.match(run, { code: null, signal, stdout: '' });
      t.match(
        run.stderr,
        new RegExp(
          `\nInterrupted\\. Aborting job ${id}; press Ctrl-C again to leave it alone\n[^]*Job ${id} was aborted\n$`,
        ),
      );
      t.equal(await here.stateOf(id), 'ABORTED');
    }
  });
}

t.test('who waits without progress is told, too, and aborts what can’t be aborted', async (t) => {
  const here = await onTheWay(t, ['-d']);
  const { home, globals } = here;
  await midclt([...globals, 'call', 'test.job', '300', '1'], { home });
  const child = spawnMidclt([...globals, 'job', 'wait', '--abort-on-interrupt', '1'], { home });
  const run = finished(child);
  // The daemon has been told of the job, and has told of it.
  await until('it to wait', async () => {
    if (here.sandbox.countOf('core.get_jobs') === 0) return false;
    const { calls, jobs } = await statusOf(here.socket);
    return jobs.followed === 1 && calls.in_flight === 0;
  });
  child.kill('SIGINT');
  t.match(await run, {
    signal: 'SIGINT',
    stdout: '',
    stderr:
      "Interrupted. Aborting job 1, although it says that it can't be aborted; press Ctrl-C again to leave it alone\nJob 1 was aborted\n",
  });
});

t.test('where one lock is around everything, a job can be aborted all the same', async (t) => {
  const around = await surroundings(t);
  await startDaemon(t, { around, args: ['--concurrency', '1'] });
  const here = { home: around.home, globals: ['-u', around.uri, '-d'] };
  const job = ['--abort-on-interrupt', 'test.job_abortable', '300', '1'];
  const run = await interrupted(here, [...CALL, ...job], 'step 1/');
  t.match(run, { signal: 'SIGINT', stderr: /Job 1 was aborted\n$/ });
});

/** A server on which a job runs for ever; `onAbort` answers who wants to end it. */
async function endless(
  t: Test,
  onAbort: (answer: (result: string) => void, refuse: () => void) => void,
): Promise<Pick<Way, 'home' | 'globals'> & { uri: string }> {
  const { uris } = await startHostileServer(t, {
    onRequest: (victim, { id, method }) => {
      if (method === 'test.job') {
        const fields = `"id": 7, "message_ids": ["${id}"], "method": "test.job", "arguments": [], "abortable": true`;
        const progress = '"progress": {"percent": 5, "description": "on the way"}';
        victim.event(`{${fields}, "time_started": 1, "state": "RUNNING", ${progress}}`, 'added');
        victim.answer(id, '7');
      } else if (method === 'core.job_abort') {
        onAbort(
          (result) => {
            victim.answer(id, result);
          },
          () => {
            const error = `{"code": -32001, "message": "x", "data": {"error": 1, "errname": "EPERM", "reason": "[EPERM] Not yours", "trace": null, "extra": null}}`;
            victim.say(`{"jsonrpc": "2.0", "id": "${id}", "error": ${error}}`);
          },
        );
      }
    },
  });
  const around = { home: makeHome(t), uri: uris.jsonrpc, sandbox: undefined as never };
  await startDaemon(t, { around });
  return { ...around, globals: ['-u', around.uri, '-d'] };
}

const ABORTING = [...CALL, '--abort-on-interrupt', 'test.job'];

t.test('an abort that the server refuses is told, and what can be typed', async (t) => {
  const here = await endless(t, (_answer, refuse) => {
    refuse();
  });
  const run = await interrupted(here, ABORTING, 'on the way');
  t.match(run, { signal: 'SIGINT', stdout: '' });
  const wait = `'midclt -u ${here.uri} -d job wait 7' waits for it`;
  t.equal(lastLine(run), `Job 7 is not aborted: [EPERM] Not yours; ${wait}`);
});

for (const answers of [true, false])
  t.test(
    `a second signal ends it at once (the abort is ${answers ? '' : 'not '}answered)`,
    async (t) => {
      let asked = 0;
      const here = await endless(t, (answer) => {
        asked++;
        if (answers) answer('null');
      });
      const run = await interrupted(here, ABORTING, 'on the way', 'SIGINT', async (child, seen) => {
        await until('it to abort', () => asked === 1 && seen().includes('press Ctrl-C again'));
        child.kill('SIGTERM');
      });
      t.match(run, { signal: 'SIGTERM', stdout: '' });
      const wait = `'midclt -u ${here.uri} -d job wait 7' waits for it`;
      t.equal(lastLine(run), `Job 7 was to be aborted; ${wait}`);
      t.equal(asked, 1);
    },
  );

t.test('a job whose id is not known yet is not aborted, which is said', async (t) => {
  const { uris } = await startHostileServer(t, {});
  const around = { home: makeHome(t), uri: uris.jsonrpc, sandbox: undefined as never };
  const daemon = await startDaemon(t, { around });
  const child = spawnMidclt(['-u', around.uri, '-d', ...ABORTING], { home: around.home });
  const run = finished(child);
  await until('it to be sent', async () => (await statusOf(daemon.socket)).calls.in_flight === 1);
  child.kill('SIGINT');
  t.match(await run, {
    signal: 'SIGINT',
    stderr:
      'Interrupted. If the job was started, it is not ended by this: its id is not known yet\n',
  });
});

const skip = missing('script', 'stty');
for (const way of ['-d', ''])
  t.test(`on a terminal Ctrl-C leaves it as it was ${way}`, { skip }, async (t) => {
    const { home, uri } = await onTheWay(t, way ? [way] : []);
    const globals = `-u "$URI" ${way}`;
    const settings = 'stty -a >"$HOME/after"; cmp "$HOME/before" "$HOME/after" && echo restored';
    for (const [n, more, end] of [
      [1, '', /^Interrupted\. Job 1 goes on at the server; 'midclt/],
      [
        2,
        '--abort-on-interrupt',
        /^Interrupted\. Aborting job 2; press Ctrl-C again to leave it alone$/,
      ],
    ] as const) {
      const job = `call -j ${more} test.job_abortable 300 1`;
      const line = `trap : INT; stty -a >"$HOME/before"; midclt ${globals} ${job}; echo "code $?"; ${settings}`;
      const terminal = onTerminal(t, line, { home, columns: 200, env: { URI: uri } });
      await until('the bar', () => /^Status: step/m.test(terminal.screen.lines.join('\n')));
      terminal.type('\x03');
      t.equal(await terminal.finished, 0);
      const { lines } = terminal.screen;
      t.match(lines[0], /^Status: step \d+\/300$/);
      t.match(lines[1], /^Total Progress: \[.*\] \d+\.\d\d%(?:\^C)?$/, 'ended, its line too');
      t.match(lines[2], end);
      if (more) t.equal(lines[3], `Job ${n} was aborted`);
      t.same(lines.slice(-2), ['code 130', 'restored']);
    }
  });
