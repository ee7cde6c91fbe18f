/** The shell function does what the program does, or leaves it to the program. */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { startDaemon } from '../support/daemon.js';
import { has } from '../support/launcher.js';
import { filesOf } from '../support/lifecycle.js';
import { BINARY, midclt, shell } from '../support/midclt.js';

/** Each with how to call it: the words as a shell takes them. */
const FAST: readonly string[] = [
  '-d ping',
  '-d call core.ping',
  '-d call system.ready',
  `-d call test.raw '"null"'`,
  `-d call test.echo 1 2.0 NaN '"70"' plain '' '[["id", "=", 1]]' '{"a": "\\\\"}'`,
  `-d call test.echo 'a "quoted" \\ word' "it's" '$HOME' '*' '& ; | > <' '{' '\`x\`'`,
  `-d call test.echo 'ends with a backslash\\' '"' '\\\\' '{"$date": 1}'`,
  String.raw`-d call test.raw '"\"two\\nlines\""'`,
  String.raw`-d call test.raw '"\"\\u0000\\ud83d\\ude00\\ud83d end\\n\\n\""'`,
  '-d call test.types',
  '-d call test.bigstring 300000',
  `-d call test.fail 2 'No such share' '{"a": 1}'`,
  '-d call -q test.fail 2 x',
  '-d call test.validation',
  '-d call test.validation true',
  '-d call nosuch.method',
  '-d -t 1 call test.sleep 20', // late for sure; it has a slot of the daemon's until it ends
];
const LEFT: readonly string[] = [
  '-d call test.echo -5',
  "-d call test.echo 'é' 'a\tb'",
  'echo 7 | -d call test.echo -',
  '-d call -jp description -j test.job 1 0.05',
  '-d --timeout=5 call core.ping',
  'call core.ping',
  '-d call',
  '-d call --nosuch x',
  '--version',
  '-h',
];
/** Each with the shell that the function is for. */
const KINDS = [
  ['bash', 'bash'],
  ['zsh', 'zsh'],
  ['dash', 'sh'],
  ['busybox sh', 'sh'],
  ['bash --posix', 'sh'],
  ['zsh', 'sh'],
].filter(([name = '']) => has(name.split(' ')[0] ?? '')) as [string, string][];
const SHELLS = ['bash', 'sh', 'zsh'].filter((name) => spawnSync(name, ['-c', ':']).status === 0);

function command(text: string): string {
  const [pipe, rest] =
    text.includes(' | ') && text.startsWith('echo') ? text.split(' | ') : [null, text];
  return `${pipe === null ? '' : `${pipe} | `}midclt ${rest}`;
}

async function surroundings(t: Test) {
  const daemon = await startDaemon(t);
  const bin = `${daemon.home}/bin`;
  fs.mkdirSync(bin);
  fs.symlinkSync(BINARY, `${bin}/midclt`);
  const env = { MIDCLT_URI: daemon.uri, PATH: `${bin}:${process.env.PATH ?? ''}` };
  const run = (name: string, line: string, more: NodeJS.ProcessEnv = {}) => {
    const file = `${daemon.home}/script`;
    fs.writeFileSync(file, line);
    return shell(`${name} ${file}`, { home: daemon.home, env: { ...env, ...more } });
  };
  return { ...daemon, run };
}

t.test('prints what the program prints, with its exit code, in every shell', async (t) => {
  const { run, home } = await surroundings(t);
  t.ok(SHELLS.length >= 2, SHELLS.join());
  for (const name of SHELLS) {
    const text = await midclt(['shell-init', name], { home });
    t.match(text, { code: 0, stderr: '' });
    for (const line of [...FAST, ...LEFT]) {
      const program = await run(name, command(line));
      const fast = await run(name, `${text.stdout}\nset -eu\n${command(line)}`);
      t.same(fast, program, JSON.stringify(`${name}: ${line}`));
    }
  }
});

t.test('says nothing of a pid file that is missing or wrong', async (t) => {
  const { run, home, pidFile } = await surroundings(t);
  for (const name of SHELLS) {
    const text = (await midclt(['shell-init', name], { home })).stdout;
    for (const content of [null, '', 'x', '999999999']) {
      fs.rmSync(pidFile, { force: true });
      if (content !== null) fs.writeFileSync(pidFile, content);
      const ping = await run(name, `${text}\nset -eu\nmidclt -d ping`);
      t.match(ping, { code: 0, stdout: 'pong\n', stderr: '' }, `${name}: ${content ?? 'none'}`);
    }
  }
});

t.test('does the common calls without the program', async (t) => {
  const { run, home } = await surroundings(t);
  for (const name of SHELLS) {
    const text = (await midclt(['shell-init', name], { home })).stdout;
    const broken = text.replace(/command '.*'/, 'command false');
    const lines = FAST.slice(0, 9).map((line) => `${command(line)} >/dev/null || exit 9`);
    t.match(await run(name, `${broken}\n${lines.join('\n')}`), { code: 0, stderr: '' }, name);
    const loop = `${broken}\nn=0; printf '1\\n2\\n' | while read -r x; do midclt -d call test.echo "$x"; done`;
    t.match(await run(name, loop), { stdout: '[1]\n[2]\n' }, 'stdin is left alone');
    const strict = `${broken}\nset -e\nx=$(midclt -d call system.version)\nmidclt -d call test.fail 2 x\necho no`;
    t.match(await run(name, strict), { code: 1, stdout: '' }, 'set -e ends it');
  }
});

t.test('looks at the profiles at every call', async (t) => {
  const { run, home, uri } = await surroundings(t);
  const file = `${home}/.config/midclt/profiles.toml`;
  for (const [name, of] of [
    ['nas', uri],
    ['other', 'ws+unix:///nowhere.sock'],
  ] as const) {
    const add = ['profile', 'add', name, '-u', of, '--no-check'];
    t.match(await midclt(add, { home }), { code: 0 });
  }
  const text = fs.readFileSync(file, 'utf8');
  for (const name of SHELLS) {
    fs.writeFileSync(file, text, { mode: 0o600 });
    const own = (await midclt(['shell-init', name], { home })).stdout;
    const broken = own.replace(/command '.*'/, 'command false');
    const lines = [
      'set -eu',
      'unset MIDCLT_URI',
      'ask() { midclt "$@" -d ping || echo left; }',
      'ask -p nas; ask; ask -p other; ask -p nas',
      'MIDCLT_PROFILE=nas; ask; MIDCLT_PROFILE=other; ask; unset MIDCLT_PROFILE',
      `{ echo 'default = "nas"'; cat "$F"; } >"$F.new"; mv "$F.new" "$F"; ask`,
      'chmod 600 "$F"; echo >>"$F"; ask',
      'chmod 620 "$F"; ask -p nas',
      'echo >>"$F"; ask -p nas',
      'chmod 600 "$F"; ask -p nas',
      'printf "insecure = true" >>"$F"; ask -p nas',
      'rm "$F"; ask -p nas',
    ];
    const { stdout, stderr } = await run(name, `${broken}\n${lines.join('\n')}`, { F: file });
    const words = stdout.replaceAll('\n', ' ').trim();
    t.equal(
      words,
      // Others can write; what they have written is not believed.
      'pong left left pong pong left pong pong pong left pong left left',
      `${name}: ${stderr}`,
    );
  }
});

t.test('an alias of its name is put in before it, as before the program', async (t) => {
  const { run, home, uri } = await surroundings(t);
  for (const [name, kind] of KINDS) {
    const text = (await midclt(['shell-init', kind], { home })).stdout;
    const broken = text.replace(/command '.*'/, 'command false');
    const first = name === 'bash' ? 'shopt -s expand_aliases\n' : '';
    const lines = [
      `alias midclt='midclt -u "$U" -d'`,
      'set -eu',
      'eval "$TEXT"',
      'unset MIDCLT_URI',
      `midclt call test.echo "it's"`,
      'unalias midclt',
      'midclt -u "$U" -d ping',
    ];
    const result = await run(name, `${first}${lines.join('\n')}`, { U: uri, TEXT: broken });
    t.match(result, { code: 0, stdout: `["it's"]\npong\n`, stderr: '' }, `${name}, ${kind}`);
  }
});

t.test("with a constant of one of its variables' names a call is the program's", async (t) => {
  const { run, home } = await surroundings(t);
  for (const [name, kind] of KINDS) {
    const text = (await midclt(['shell-init', kind], { home })).stdout;
    const locals = [...text.matchAll(/^ *local ([^|\n]*)/gm)].map(([, words = '']) => words);
    const names = new Set(locals.join(' ').match(/(?<=^| )[A-Za-z]\w*/g));
    t.ok(names.has('uri') && names.has('owner') && names.has('IFS'), [...names].join());
    const shells = ['IFS', 'LC_ALL'];
    const others = [...names].filter((each) => !shells.includes(each));
    const of = (all: string[]) =>
      `for each in ${all.join(' ')}; do (readonly "$each=C"; midclt -d ping); done`;
    const all = text.replace(/command '.*'/, 'echo program');
    const left = await run(name, `${all}\nset -eu\n${of(name === 'zsh' ? shells : [...names])}`);
    const times = name === 'zsh' ? shells.length : names.size;
    // zsh can hide the others; whether it's zsh only its own function asks.
    if (name === kind || name !== 'zsh') {
      t.match(left, { code: 0, stdout: 'program -d ping\n'.repeat(times), stderr: '' }, name);
    }
    if (name !== 'zsh') continue;
    const made = await run(name, `${all}\nset -eu\n${of(others)}`);
    t.match(made, { code: 0, stdout: 'pong\n'.repeat(others.length), stderr: '' }, kind);
  }
});

t.test('leaves what it does not trust or find to the program', async (t) => {
  const { run, home, socket } = await surroundings(t);
  const text = (await midclt(['shell-init', 'sh'], { home })).stdout;
  const none = await run('sh', `${text}\nmidclt -u ws+unix:///nowhere.sock -d call core.ping`);
  t.match(none, { code: 1, stdout: '', stderr: /^Error: No daemon is running/ });
  const other = `ws+unix://${home}/other.sock`;
  const call = `${text}\nmidclt -u ${other} -d call core.ping`;
  const its = filesOf(home, other).socket;
  fs.symlinkSync(socket, its);
  t.match(await run('sh', call), { code: 1, stderr: /is a symbolic link/ });
  fs.rmSync(its);
  fs.linkSync(socket, its);
  t.match(await run('sh', call), { code: 0, stdout: 'pong\n' });
  t.match(await midclt(['shell-init', 'fish'], { home }), {
    code: 2,
    stderr: /invalid choice: 'fish'/,
  });
});
