/** F4: the shell function and the launcher tell a daemon that is stopped from one that makes a long call. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { filesOf, freeze, ground, isAlive, processOf, type Ground } from '../support/lifecycle.js';
import { boxOf, CONNECTORS, has, SHELLS as LAUNCHER_SHELLS } from '../support/launcher.js';
import { BINARY, shell, until } from '../support/midclt.js';

t.jobs = 2; // they wait, side by side

t.setTimeout(600_000);

/** How each is started, and for which shell the function is. */
const SHELLS = [
  { command: 'bash', kind: 'bash', needs: 'bash' },
  { command: 'zsh', kind: 'zsh', needs: 'zsh' },
  { command: 'dash', kind: 'sh', needs: 'dash' },
  { command: 'busybox sh', kind: 'sh', needs: 'busybox' },
  { command: 'bash --posix', kind: 'sh', needs: 'bash' },
  { command: '/bin/sh', kind: 'sh', needs: 'sh' },
].filter(({ needs }) => has(needs));

interface Variant {
  readonly name: string;
  readonly run: (line: string) => ReturnType<typeof shell>;
}

/** Every shell with every program that can connect; with a `sleep` of their own, if there is one in `${home}/first`. */
function variantsOf({ home, uri }: Ground): Variant[] {
  const own = `${home}/first/sleep`;
  const env = { MIDCLT_URI: uri, PATH: `${home}/first:${process.env.PATH ?? ''}` };
  return CONNECTORS.flatMap((connector) => {
    // A path on which the other one is not.
    const bin = `${home}/${connector}`;
    fs.mkdirSync(bin);
    for (const tool of ['sh', connector]) {
      fs.symlinkSync(
        spawnSync('sh', ['-c', `command -v ${tool}`])
          .stdout.toString()
          .trim(),
        `${bin}/${tool}`,
      );
    }
    const launchers = LAUNCHER_SHELLS.slice(0, 3).map((name) => {
      const box = boxOf(home, [connector], name);
      if (fs.existsSync(own)) {
        fs.rmSync(`${box.path}/sleep`);
        fs.symlinkSync(own, `${box.path}/sleep`);
      }
      const midclt = `midclt() { ${box.command} "$@"; }`;
      const run = (line: string) => shell(`${midclt}; set -eu; ${line}`, { home, env });
      return { name: `the launcher, by ${name} with ${connector}`, run };
    });
    const functions = SHELLS.map(({ command, kind }, i) => {
      const made = spawnSync(process.execPath, [BINARY, 'shell-init', kind], {
        env: { PATH: bin, HOME: home },
        encoding: 'utf8',
      });
      if (!made.stdout.includes(connector)) throw new Error(made.stderr);
      let runs = 0;
      const run = (line: string) => {
        const file = `${home}/script-${connector}-${i}-${runs++}`;
        fs.writeFileSync(file, `${made.stdout}\nset -eu\n${line}\n`);
        return shell(`${command} ${file}`, { home, env });
      };
      return { name: `${command} with ${connector}`, run };
    });
    return [...functions, ...launchers];
  });
}

/** What else this test has started is gone. */
async function onlyLeft(t: Test, { processes }: Ground, pid: number) {
  await until(
    'nothing else to be left',
    () => processes().filter(isAlive).join() === `${pid}`,
    30_000,
  );
  t.pass('nothing else is left');
}

t.test(
  'F4: of a stopped daemon shell function and launcher say what the program says',
  async (t) => {
    const place = await ground(t);
    const variants = variantsOf(place);
    t.ok(variants.length >= 4, variants.map(({ name }) => name).join());
    t.match(await place.d(['ping']), { code: 0 });
    const daemon = place.pid() ?? 0;
    await freeze(daemon);
    const program = await place.d(['ping']);
    t.match(program, {
      code: 1,
      stderr: `The daemon (pid ${daemon}) does not answer; the outcome`,
    });
    const runs = variants.map(async ({ name, run }) => {
      const started = performance.now();
      const result = await run('midclt -d call core.ping; echo not reached');
      return { name, result, took: performance.now() - started };
    });
    for (const { name, result, took } of await Promise.all(runs)) {
      t.same(result, { ...program, stdout: '' }, name);
      t.ok(took > 4000 && took < 60_000, `${name} gave up after ${Math.round(took)} ms`);
    }
    t.equal(processOf(daemon).state, 'T', 'nobody woke or ended it');
    await onlyLeft(t, place, daemon);
  },
);

t.test('F4: of the daemon that was asked, whatever profiles there are', async (t) => {
  const place = await ground(t);
  const { home, uri } = place;
  const all = variantsOf(place);
  const variants = [all[0], all.find(({ name }) => name.startsWith('the launcher'))];
  t.match(await place.d(['ping']), { code: 0 });
  const daemon = place.pid() ?? 0;
  for (const [name, of] of [
    ['nas', uri],
    ['other', 'wss://nowhere.example/api/current'],
  ] as const) {
    const add = ['profile', 'add', name, '-u', of, '--no-check'];
    t.match(await place.run(add), { code: 0 });
  }
  t.match(await place.run(['profile', 'default', 'nas']), { code: 0 });
  // The same daemon as that of the local middleware.
  const [its, local] = [place.files(), filesOf(home, null)];
  fs.linkSync(its.socket, local.socket);
  fs.copyFileSync(its.pid, local.pid);
  await freeze(daemon);
  const asked = [
    'midclt -p nas',
    'MIDCLT_PROFILE=nas; export MIDCLT_PROFILE; midclt',
    'unset MIDCLT_URI; midclt',
    'MIDCLT_PROFILE=other; export MIDCLT_PROFILE; midclt -u "$MIDCLT_URI"',
    'midclt -p local',
  ];
  const stderr = `The daemon (pid ${daemon}) does not answer; the outcome`;
  const runs = variants.flatMap((variant) =>
    asked.map(async (line) => {
      const result = await variant?.run(`${line} -d call core.ping`);
      t.match(result, { code: 1, stdout: '', stderr }, `${variant?.name}: ${line}`);
    }),
  );
  await Promise.all(runs);
  await onlyLeft(t, place, daemon);
});

t.test('F4: a long call of a daemon that lives is waited for, also while it ends', async (t) => {
  const place = await ground(t);
  const variants = variantsOf(place);
  const { run, uri, sandbox } = place;
  t.match(await run(['-u', uri, 'daemon', '--detach', '--concurrency', '18']), { code: 0 });
  const calls = variants.map(async ({ name, run }) => ({
    name,
    result: await run(`x=$(midclt -d call test.sleep 25); echo "<$x>"`),
  }));
  await until('all to be in flight', () => sandbox.countOf('test.sleep') === variants.length);
  const stop = run(['-u', uri, 'daemon-stop']);
  for (const { name, result } of await Promise.all(calls)) {
    t.same(result, { code: 0, signal: null, stdout: '<25.0>\n', stderr: '' }, name);
  }
  t.match(await stop, { code: 0 });
  await place.settled();
});

t.test('nothing is left of what watches a short call', async (t) => {
  const place = await ground(t);
  // What watches sleeps for a few seconds at a time, and would then be gone by itself.
  fs.mkdirSync(`${place.home}/first`);
  fs.writeFileSync(`${place.home}/first/sleep`, '#!/bin/sh\nexec /bin/sleep 600\n', {
    mode: 0o755,
  });
  t.match(await place.d(['ping']), { code: 0 });
  const daemon = place.pid() ?? 0;
  const loop =
    'for i in 1 2 3 4 5 6 7 8 9 10; do midclt -d call test.echo $i; done; midclt -d call -q test.fail || echo $?';
  const expected = `${Array.from({ length: 10 }, (_, i) => `[${i + 1}]\n`).join('')}1\n`;
  for (const { name, run } of variantsOf(place)) {
    // More at once than there are processors: what watches is then often ended before it has begun.
    for (const result of await Promise.all([1, 2, 3, 4, 5, 6].map(() => run(loop)))) {
      t.match(result, { code: 0, stdout: expected, stderr: '' }, name);
    }
    await onlyLeft(t, place, daemon);
  }
});
