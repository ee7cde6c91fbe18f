/** What a shell may do with the outputs: readers that leave, full disks, closed descriptors. */
import fs from 'node:fs';
import t from 'tap';
import { startDaemon, surroundings, type RunningDaemon } from '../support/daemon.js';
import {
  BINARY,
  makeHome,
  missing,
  shell,
  spawnMidclt,
  until,
  type Finished,
} from '../support/midclt.js';
import { startPuppet } from '../support/terminal.js';

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t);
});

const NO_SPACE = 'Error: Cannot write the output: no space left on device (ENOSPC)\n';
const TICKER = (count: number) => `subscribe 'test.ticker:{"interval": 0.01, "count": ${count}}'`;

/** `midclt` in the command is the built binary; `-u "$URI"` and what else there is, is the command's. */
function run(command: string, home = daemon.home, input = ''): Promise<Finished> {
  const env = { NODE: process.execPath, BINARY, URI: daemon.uri };
  return shell(`midclt() { "$NODE" "$BINARY" "$@"; }; ${command}`, { home, env, input });
}

/** The exit code that `set -o pipefail` would give, and what the pipe's reader and stderr got. */
async function pipefail(args: string, reader: string, redirect = ''): Promise<Finished> {
  const file = fs.mkdtempSync(`${daemon.home}/code-`) + '/code';
  const writer = `{ midclt -u "$URI" ${args} ${redirect}; echo $? >${file}; }`;
  const finished = await run(`${writer} | ${reader}`);
  return { ...finished, code: Number(fs.readFileSync(file, 'utf8')) };
}

for (const way of ['-d', '']) {
  const how = way ? 'through a daemon' : 'without a daemon';

  t.test(`${how} a reader that leaves a big result ends it quietly, exit 1`, async (t) => {
    for (const [reader, stdout] of [
      ['head -c1', '['],
      ['true', ''],
    ] as const) {
      const big = await pipefail(`${way} call test.big 5000000`, reader);
      t.strictSame(big, { code: 1, signal: null, stdout, stderr: '' }, reader);
    }
    // all 5 MB are one line, so head reads them all
    const line = await pipefail(`${way} call test.bigstring 5000000`, 'head -1 | wc -c');
    t.match(line, { code: 0, stdout: /^ *5000001\n$/, stderr: '' });
  });

  t.test(`${how} a reader that takes all of a small result’s line changes nothing`, async (t) => {
    t.match(await pipefail(`${way} call core.ping`, 'head -1'), {
      code: 0,
      stdout: 'pong\n',
      stderr: '',
    });
  });

  t.test(`${how} a reader that has gone before a small result ends it quietly`, async (t) => {
    const { sandbox, home } = daemon;
    for (const args of ['call core.ping', 'call -j test.job 1 0']) {
      // No answer before the reader has gone.
      sandbox.setStalled(true);
      const ended = run(
        `mkfifo pipe; midclt -u "$URI" ${way} ${args} >pipe 2>stderr & exec 3<pipe; exec 3<&-; touch gone; wait $!`,
      );
      await until('the reader to go', () => fs.existsSync(`${home}/gone`));
      sandbox.setStalled(false);
      const { code, stderr } = await ended;
      t.match({ code, stderr }, { code: 1, stderr: '' }, args);
      const said = fs.readFileSync(`${home}/stderr`, 'utf8');
      t.notMatch(said, /Error|^ +at /m, args);
      for (const name of ['pipe', 'gone']) fs.rmSync(`${home}/${name}`);
    }
  });

  t.test(`${how} progress that nobody reads does not end a job`, async (t) => {
    const job = `${way} call -j test.job 3 0.1`;
    t.match(await pipefail(job, 'true', '2>&1 >"$HOME/out"'), { code: 0 });
    t.equal(fs.readFileSync(`${daemon.home}/out`, 'utf8'), 'done\n');
  });

  t.test(`${how} a reader that starts late gets all of 5 MB`, async (t) => {
    const count = await run(
      `midclt -u "$URI" ${way} call test.bigstring 5000000 | sh -c 'sleep 0.5; wc -c'`,
    );
    t.match({ ...count, stdout: count.stdout.trim() }, { stdout: '5000001', stderr: '' });
  });

  t.test(`${how} a pipe that somebody made non-blocking loses nothing`, async (t) => {
    const block = 'process.stdout; setInterval(() => {}, 1e6)'; // as Node does while it runs
    const blocked = "grep -q 'flags:.*4001' /proc/self/fdinfo/3 3>&1";
    const { stdout, stderr } = await run(
      `{ "$NODE" -e '${block}' & until ${blocked}; do sleep 0.05; done
         midclt -u "$URI" ${way} call test.bigstring 5000000; kill $!; } |
       { sleep 0.2 # then in small pieces, so that there is never room for a whole write
         for i in $(seq 100); do dd bs=10007 count=1 2>/dev/null; done; cat; } | wc -c`,
    );
    t.equal(stdout.trim(), '5000001', stderr);
  });

  t.test(`${how} a pipe stays as it is for those who share it`, async (t) => {
    const { stdout } = await run(
      `{ { midclt -u "$URI" ${way} call test.sleep 1; touch "$HOME/done"; } &
         until [ -e "$HOME/done" ]; do
           grep flags: /proc/self/fdinfo/3 3>&1 >>"$HOME/flags"; sleep 0.05
         done; } | cat`,
    );
    t.equal(stdout, '1.0\n');
    t.match(fs.readFileSync(`${daemon.home}/flags`, 'utf8'), /^(?:flags:\s0*1\n)+$/);
    for (const name of ['done', 'flags']) fs.rmSync(`${daemon.home}/${name}`);
  });

  t.test(`${how} a full disk is one line on stderr, exit 1`, async (t) => {
    const small = ['call core.ping', 'ping', 'call -q core.ping', 'call system.ready'];
    const big = 'call test.big 5000000';
    const all = [...small, big, ...(way ? [] : [TICKER(5)])].map((args) => `${way} ${args}`);
    for (const args of all) {
      const { code, stderr } = await run(`midclt -u "$URI" ${args} >/dev/full`);
      t.strictSame({ code, stderr }, { code: 1, stderr: NO_SPACE }, args);
    }
  });

  t.test(`${how} a full disk under stderr does not end a job`, async (t) => {
    for (const how of ['progressbar', 'description']) {
      const job = await run(
        `midclt -u "$URI" ${way} call -j -jp ${how} test.job 2 0.1 2>/dev/full`,
      );
      t.match(job, { code: 0, stdout: 'done\n' }, how);
    }
  });

  for (const [args, stdout] of [
    ['call core.ping', 'pong\n'],
    ['call -j test.job 1 0.05', 'done\n'],
    ['ping', 'pong\n'],
    ['call test.fail', ''],
    ...(way ? [] : [['-h', /^usage: midclt/] as const]),
  ] as const)
    t.test(`${how} closed descriptors change nothing else: ${args}`, async (t) => {
      const code = args.includes('fail') ? 1 : 0;
      const closed = async (redirects: string, expected: object) => {
        const found = await run(`midclt -u "$URI" ${way} ${args} ${redirects}`);
        t.match(found, { code, signal: null, ...expected }, redirects);
        t.notMatch(found.stderr, /^ +at (?!.*\.py)|node:/m, redirects);
      };
      await Promise.all([
        closed('<&-', { stdout }),
        closed('2>&-', { stdout, stderr: '' }),
        closed('<&- 2>&-', { stdout, stderr: '' }),
        closed('>&-', { stdout: '' }),
        closed('<&- >&- 2>&-', { stdout: '', stderr: '' }),
      ]);
    });

  t.test(`${how} stdin is left alone unless - asks for it`, async (t) => {
    const each = ['ping', 'call core.ping', 'call -j test.job 1 0.01', '-h', 'call test.fail'];
    if (!way) each.push(TICKER(1));
    const commands = each.map((args) => `midclt -u "$URI" ${way} ${args} >&2`).join('; ');
    const { stdout } = await run(`${commands}; cat`, daemon.home, 'a\nb\n');
    t.equal(stdout, 'a\nb\n');
  });

  t.test(`${how} a stdin that never ends keeps nobody waiting`, async (t) => {
    const globals = ['-u', daemon.uri, ...(way ? [way] : [])];
    const child = spawnMidclt([...globals, 'call', 'core.ping'], daemon);
    t.teardown(() => child.kill('SIGKILL'));
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    const code = await new Promise((resolve) => child.on('close', resolve));
    t.strictSame({ code, stdout }, { code: 0, stdout: 'pong\n' });
  });
}

t.test('a closed stdin is an empty one for -', async (t) => {
  const found = await run('midclt -u "$URI" -d call test.echo - <&-');
  t.match(found, { code: 0, stdout: '[""]\n', stderr: '' });
});

for (const args of ['-h', 'call -h', '--version', ''])
  t.test(`help and version write as all else does: midclt ${args}`, async (t) => {
    const { code, stderr } = await run(`midclt ${args} >/dev/full`);
    t.strictSame({ code, stderr }, { code: 1, stderr: NO_SPACE }, 'on a full disk');
    const gone = await run(`{ sleep 0.2; midclt ${args}; } | true`);
    t.match(gone, { code: 0, stderr: '' }, 'to a reader that has gone');
  });

t.test('daemon-stop works with all its descriptors closed', async (t) => {
  const around = await surroundings(t);
  const mine = await startDaemon(t, { around });
  const found = await run(`midclt -u ${mine.uri} daemon-stop <&- >&- 2>&-`, mine.home);
  t.match(found, { code: 0, stdout: '', stderr: '' });
  t.match(await mine.exited, { code: 0 });
  for (const redirects of ['<&-', '>&-', '2>&-', '<&- >&- 2>&-']) {
    const none = await run(`midclt -u ${mine.uri} daemon-stop ${redirects}`, mine.home);
    const stderr = redirects.includes('2>') ? '' : 'No daemon is currently running\n';
    t.match(none, { code: 1, stdout: '', stderr }, redirects);
  }
});

t.test('wrong usage with closed descriptors is still exit 2', async (t) => {
  const home = makeHome(t);
  t.match(await run('midclt call >&- 2>&-', home), { code: 2, stdout: '' });
  t.match(await run('midclt nosuch <&- >&- 2>&-', home), { code: 2, stdout: '' });
});

for (const last of ['result', 'error'] as const)
  t.test(`to a slow reader the ${last} comes after all the progress, and whole`, async (t) => {
    const puppet = await startPuppet(t);
    const job = `midclt ${puppet.globals} call -j -jp description x`;
    const reading = run(`${job} 2>&1 | { sleep 0.5; cat; }`, puppet.home);
    await puppet.asked();
    const steps = Array.from({ length: 3000 }, (_, i) => `${'step'.repeat(20)} ${i}`);
    for (const step of steps) puppet.progress(1, step);
    const text = 'z'.repeat(1_000_000);
    if (last === 'result') puppet.result(`"${text}"`);
    else puppet.error(text);
    const lines = (await reading).stdout.split('\n');
    t.equal(lines.length, steps.length + 2);
    t.equal(lines.indexOf(text), steps.length, 'on a line of its own, after the last step');
    t.ok(
      steps.every((step, i) => lines[i] === step),
      'each step on a line of its own',
    );
  });

t.test(
  'pipefail itself sees what the tests above call its exit code',
  { skip: missing('bash') },
  async (t) => {
    const call = '"$NODE" "$BINARY" -u "$URI" -d call test.big 5000000';
    const found = await run(`bash -c 'set -o pipefail; ${call} | head -c1'`);
    t.match(found, { code: 1, stdout: '[', stderr: '' });
  },
);
