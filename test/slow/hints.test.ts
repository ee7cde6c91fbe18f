/** Commands that the program tells a user to type: they can be pasted as they are. */
import t, { type Test } from 'tap';
import { startDaemon, surroundings, type RunningDaemon } from '../support/daemon.js';
import {
  BINARY,
  finished,
  makeHome,
  midclt,
  missing,
  shell,
  spawnMidclt,
  until,
} from '../support/midclt.js';
import { onTerminal } from '../support/terminal.js';

interface Job {
  readonly id: number;
  readonly method: string;
  readonly state: string;
}

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t);
});

const globals = (way: string) => ['-u', daemon.uri, ...(way ? [way] : [])];

/** The command that a line of stderr has between quotes; of several the last. */
function advised(stderr: string): string {
  const command = /.*'(midclt [^']*)'/.exec(stderr)?.[1];
  if (command === undefined) throw new Error(`no command in: ${stderr}`);
  return command;
}

/** Types a command into a shell. */
const paste = (command: string, { home }: { home: string } = daemon) =>
  shell(`midclt() { "$NODE" "$BINARY" "$@"; }; ${command}`, {
    home,
    env: { NODE: process.execPath, BINARY },
  });

async function jobs(): Promise<Job[]> {
  const { stdout } = await daemon.d(['call', 'core.get_jobs']);
  return JSON.parse(stdout) as Job[];
}

/** Starts a job, interrupts the program that waits for it, and resolves with what that said and the job. */
async function interrupted(way: string, args: readonly string[]) {
  const before = new Set((await jobs()).map(({ id }) => id));
  const child = spawnMidclt([...globals(way), 'call', '-j', '-jp', 'description', ...args], daemon);
  let seen = '';
  child.stderr.on('data', (chunk: Buffer) => (seen += chunk.toString()));
  const run = finished(child);
  await until('some progress', () => seen.includes('step 1/'));
  child.kill('SIGINT');
  const { stderr } = await run;
  const job = (await jobs()).find(({ id, method }) => !before.has(id) && method === args[0]);
  if (!job) throw new Error('there is no such job');
  return { stderr, job };
}

const stateOf = async (id: number) => (await jobs()).find((job) => job.id === id)?.state;

for (const way of ['-d', '']) {
  const how = way ? 'through the daemon' : 'without a daemon';

  t.test(`F16: ${how} Ctrl-C in a job says how to end it, and that works`, async (t) => {
    const { stderr, job } = await interrupted(way, ['test.job_abortable', '999', '0.1']);
    const command = advised(stderr);
    t.match(command, `job abort ${job.id}`);
    t.match(stderr, `job wait ${job.id}' waits for it, '`);
    t.equal(command.includes(' -d '), way === '-d', 'it goes the same way');
    t.match(await paste(command), { code: 0, stdout: '', stderr: '' });
    await until('the job to end', async () => (await stateOf(job.id)) === 'ABORTED');
  });

  t.test(`F16: ${how} Ctrl-C in a job that can't be aborted offers to wait again`, async (t) => {
    const { stderr, job } = await interrupted(way, ['test.job', '60', '0.1', 'null', '"end"']);
    t.notMatch(stderr, 'job abort');
    const again = await paste(`${advised(stderr)} 2>/dev/null`);
    t.match(again, { code: 0, stdout: 'end\n' });
    t.equal(await stateOf(job.id), 'SUCCESS');
  });
}

t.test(
  'a call that needs a login, without a user, says so on a terminal',
  { skip: missing('script') },
  async (t) => {
    const { home, sandbox } = await surroundings(t, { ws: 0 });
    const uri = `ws://127.0.0.1:${sandbox.wsPort}/api/current`;
    const terminal = onTerminal(t, `midclt -u ${uri} call system.info`, { home });
    t.equal(await terminal.finished, 1);
    const hint = "Nobody is logged in: give a user with -U; 'midclt login NAME' keeps a login";
    t.ok(terminal.screen.lines.includes(hint), terminal.screen.lines.join('\n'));
    const { code, stderr } = await midclt(['-u', uri, 'call', 'system.info'], { home });
    t.match({ code, stderr }, { code: 1, stderr: /^\[ENOTAUTHENTICATED\] Not authenticated\n/ });
    t.notMatch(stderr, hint, 'scripts read what they always did');
  },
);

t.test('without a daemon -d says how to start this one, with its URI and user', async (t) => {
  const home = makeHome(t);
  const none = (command: string) => ({
    code: 1,
    stdout: '',
    stderr: `Error: No daemon is running. Start one with '${command}'\n`,
  });
  const run = (args: readonly string[], env = {}) => midclt(args, { home, env });
  const nas = ['-u', 'ws://nas/api/current', '-U', 'admin'];
  t.match(await run(['-d', 'ping']), none('midclt daemon'));
  t.match(
    await run([...nas, '-d', 'ping']),
    none('midclt -u ws://nas/api/current -U admin daemon --detach'),
  );
  t.match(
    await run(['-d', 'batch'], { MIDCLT_URI: 'wss://nas/api/current?a=1&b=2' }),
    none('midclt -u wss://nas/api/current\\?a=1\\&b=2 daemon --detach'),
  );
  const secret = await run([...nas, '-P', 'Sesame-0pen', '--insecure', '-d', 'ping']);
  t.match(
    secret,
    none('midclt -u ws://nas/api/current -U admin --insecure daemon --detach'),
    'no secret is shown',
  );
});

t.test('the advised start can be pasted, also where a name wants quotes', async (t) => {
  const around = await surroundings(t);
  const uri = `ws+unix://${around.home}/it's a "home"/mw.sock`;
  await surroundings(t, { unix: `${around.home}/mw & more.sock` });
  const odd = { home: around.home, uri: `ws+unix://${around.home}/mw & more.sock` };
  const missing = await midclt(['-u', odd.uri, '-d', 'ping'], odd);
  t.match(missing, { code: 1 });
  const start = await paste(advised(missing.stderr), odd);
  t.match(start, { code: 0, stderr: '' });
  t.match(await midclt(['-u', odd.uri, '-d', 'ping'], odd), { code: 0, stdout: 'pong\n' });
  t.match(await midclt(['-u', odd.uri, 'daemon-stop'], odd), { code: 0 });
  t.match(await midclt(['-u', uri, '-d', 'ping'], odd), { code: 1, stderr: /it\\'s\\ a/ });
});

t.test('a second daemon says how to stop the first', async (t) => {
  const around = await surroundings(t);
  const first = await startDaemon(t, { around });
  const second = await midclt(['-u', first.uri, 'daemon'], first);
  t.match(second, { code: 1, stderr: 'already running' });
  t.match(await paste(advised(second.stderr), first), { code: 0 });
  await first.exited;
});

const skip = missing('script', 'stty');

t.test('daemon-stop for the wrong user names the right one, on a terminal', { skip }, async (t) => {
  const around = await surroundings(t, { ws: 0, failedLoginDelayMs: 20 });
  const ws = `ws://127.0.0.1:${around.sandbox.wsPort}/api/current`;
  const own = await startDaemon(t, {
    around,
    uri: ws,
    username: 'admin',
    globals: ['-U', 'admin', '-P', 'admin-pw'],
  });
  const none = { code: 1, stdout: '', stderr: 'No daemon is currently running\n' };
  t.match(await midclt(['-u', ws, 'daemon-stop'], own), none, 'off a terminal that is all');
  const stop = async (t: Test, options: string) => {
    const terminal = onTerminal(t, `midclt ${options} daemon-stop`, {
      home: own.home,
      columns: 300,
    });
    t.equal(await terminal.finished, 1);
    return terminal.screen.lines;
  };
  const right = `There is one for admin at ${ws}; 'midclt -u ${ws} -U admin daemon-stop' stops it`;
  t.strictSame(await stop(t, `-u ${ws}`), ['No daemon is currently running', right]);
  t.strictSame(await stop(t, `-u ${ws} -U root`), ['No daemon is currently running', right]);
  t.strictSame(await stop(t, ''), ['No daemon is currently running', right]);
  t.strictSame(await stop(t, '-u ws://other/api/current'), ['No daemon is currently running']);
  t.match(await paste(advised(right), own), { code: 0 });
  t.strictSame(await stop(t, `-u ${ws}`), ['No daemon is currently running']);
});
