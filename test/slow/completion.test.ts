/** Tab in the real shells. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import t, { type Test } from 'tap';
import { writeCache, type Row } from '../../lib/cli/find/cache.js';
import { stripControls } from '../../lib/text/terminal.js';
import { startDaemon } from '../support/daemon.js';
import { BINARY, environment, makeHome, midclt, missing, until } from '../support/midclt.js';
import { ROOT } from '../support/root.js';
import { onTerminal } from '../support/terminal.js';

const SCRIPTS = path.join(ROOT, 'dist/completion');
const SYSTEM = 'wss://nas.example/api/current';

/** A home with `midclt` in its PATH, and two profiles of which one has methods that are known. */
function makeShells(t: Test, names: readonly string[] = ['system.info', 'system.version']) {
  const home = makeHome(t);
  fs.mkdirSync(`${home}/bin`);
  fs.symlinkSync(BINARY, `${home}/bin/midclt`);
  fs.mkdirSync(`${home}/.config/midclt`, { recursive: true });
  const profiles = [
    `[profile.nas1]\nuri = "${SYSTEM}"\nusername = "admin"\ngroups = ["lab"]`,
    '[profile.nas2]\nuri = "ws://127.0.0.1:9/api/current"',
  ];
  fs.writeFileSync(`${home}/.config/midclt/profiles.toml`, profiles.join('\n'), { mode: 0o600 });
  fs.writeFileSync(`${home}/key file`, '');
  keep(home, names);
  const env = { PATH: `${home}/bin:${process.env.PATH ?? ''}`, TERM: 'xterm' };
  return { home, env };
}

function keep(home: string, names: readonly string[], uri = SYSTEM, user = 'admin'): void {
  const answer = Buffer.from('{}');
  const rows = names.map((name): Row => {
    const is = { job: false, downloadable: false, uploadable: false };
    return { name, summary: `What ${name} does`, start: 0, end: 2, ...is };
  });
  process.env.MIDCLT_HOME = `${home}/.midclt`;
  writeCache({ uri, username: user }, { version: '1', user: 'u' }, null, rows, answer);
}

/** A command line up to the cursor, the words a shell offers, and those it must not. */
type Case = readonly [line: string, offered: readonly string[], not?: readonly string[]];

const CASES: readonly Case[] = [
  ['midclt ca', ['call'], ['completion']],
  ['midclt -d --sor', ['--sort'], ['--job']],
  ['midclt comple', ['completion'], ['complete']],
  ['midclt job f', ['follow']],
  ['midclt call --jo', ['--job', '--job-print'], ['--json']],
  ['midclt help --u', [], ['--uri']],
  ['midclt call -jp d', ['description']],
  ['midclt call --job-print=d', ['--job-print=description'], ['progressbar']],
  ['midclt -p nas1 call -o pre', ['pretty']],
  ['midclt -p nas', ['nas1', 'nas2']],
  ['midclt -p nas2,na', ['nas2,nas1']],
  ['midclt -p @', ['@lab'], ['nas1']],
  ['midclt profile show nas', ['nas1', 'nas2'], ['all']],
  ['midclt login nas', [], ['nas1']],
  ['midclt -u wss:', [SYSTEM]],
  [`midclt -u ${SYSTEM} -U ad`, ['admin']],
  ['midclt -p nas1 call system.', ['system.info', 'system.version']],
  ['midclt --profile=nas1 -d call -j system.i', ['system.info']],
  [`midclt -u ${SYSTEM} --username=admin describe system.i`, ['system.info']],
  ["midclt -p 'nas1' call sys", ['system.info']],
  ['midclt -p nas1 call -- sys', ['system.info']],
  ['midclt -p nas1 call -- --jo', [], ['--job']],
  ['midclt -p nas2 call sys', [], ['system.info']],
  ['midclt -p nas1 call system.info ke', [], ['key file', 'key\\ file']],
  ['midclt -p nas1 subscribe core.', ['core.get_jobs']],
  ['midclt completion f', ['fish']],
];

const LINE = Object.fromEntries(CASES.map(([line], i) => [`LINE${i}`, line]));

/** Checks what a shell has printed: for each case a line of its number, and one for each word offered. */
function check(t: Test, stdout: string): void {
  const offered = stdout.split(/^#\d+\n/m).slice(1);
  t.equal(offered.length, CASES.length);
  CASES.forEach(([line, wanted, not = []], i) => {
    const words = (offered[i] ?? '').split('\n').map((word) => word.split('\t')[0] ?? '');
    for (const word of wanted) t.ok(words.includes(word), `${line}: ${word} of ${words.join()}`);
    for (const word of not) t.notOk(words.includes(word), `${line}: not ${word}`);
    if (wanted.length === 0) t.same(words, [''], `${line}: nothing`);
  });
}

function run(command: string, file: string, env: NodeJS.ProcessEnv, home: string) {
  return spawnSync(command, [file], { env: environment(home, env), cwd: home, encoding: 'utf8' });
}

t.test('bash offers what may stand there, parted as readline parts words', async (t) => {
  const { home, env } = makeShells(t);
  // As bash does it; what it replaces is the last part, so what stands before that is put back.
  const driver = String.raw`
. "$SCRIPT"
COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:'
try() {
  local rest=$1 part
  COMP_LINE=$1 COMP_POINT=@{#1} COMP_WORDS=() COMPREPLY=()
  while [[ $rest =~ ^\ *([:=@]+|\'[^\']*\'|[^\ :=@\']+|$) ]]; do
    COMP_WORDS+=("@{BASH_REMATCH[1]}")
    [ -n "$rest" ] || break
    rest=@{rest#"@{BASH_REMATCH[0]}"}
    [ -n "$rest" ] || break
  done
  COMP_CWORD=$((@{#COMP_WORDS[@]} - 1))
  _midclt
  part=@{COMP_LINE##* }
  part=@{part%"@{part##*[:=@]}"}
  part=@{part%@}
  for rest in "@{COMPREPLY[@]}"; do printf '%s\n' "$part$rest"; done
}
i=0
while name=LINE$i && [ -n "@{!name-}" ]; do
  echo "#$i"
  try "@{!name}"
  i=$((i + 1))
done
`.replaceAll('@{', '${');
  fs.writeFileSync(`${home}/driver`, driver);
  const more = { ...env, ...LINE, SCRIPT: `${SCRIPTS}/midclt.bash` };
  const { stdout, stderr } = run('bash', `${home}/driver`, more, home);
  t.equal(stderr.replace(/^.*compopt: not currently executing.*\n/gm, ''), '');
  check(t, stdout);
});

t.test('fish does', { skip: missing('fish') }, async (t) => {
  const { home, env } = makeShells(t);
  fs.mkdirSync(`${home}/.config/fish/completions`, { recursive: true });
  fs.copyFileSync(`${SCRIPTS}/midclt.fish`, `${home}/.config/fish/completions/midclt.fish`);
  const lines = CASES.flatMap((_case, i) => [`echo '#${i}'`, `complete -C"$LINE${i}"`]);
  fs.writeFileSync(`${home}/driver`, lines.join('\n'));
  const { stdout, stderr } = run('fish', `${home}/driver`, { ...env, ...LINE }, home);
  t.equal(stderr, '');
  check(t, stdout);
  t.match(stdout, 'call\tcall a method and print its result');
  t.match(stdout, 'system.info\tWhat system.info does');
});

/** Types lines at a prompt, each with what is to stand there after Tab, and Ctrl-U behind it. */
async function atPrompt(
  t: Test,
  shell: string,
  rows: readonly (readonly [typed: string, wanted: RegExp])[],
  { home, env }: ReturnType<typeof makeShells>,
): Promise<void> {
  const { written, type } = onTerminal(t, `unset -f midclt; exec ${shell}`, {
    ...{ home, env, columns: 200 },
    isRaw: true,
  });
  await until('a prompt', () => written().includes('READY> '));
  for (const [typed, wanted] of rows) {
    const before = written().length;
    type(typed);
    const seen = () => stripControls(written().slice(before), '\b\r\n');
    await until(`${shell}: ${typed}: ${String(wanted)}`, () => wanted.test(seen()), 20_000).catch(
      (error: unknown) => {
        t.fail(`${String(error)} in ${JSON.stringify(seen())}`);
      },
    );
    t.pass(typed);
    type('\x15');
  }
  type('\x15exit\n');
}

const TYPED = [
  ['midclt -p nas1 call system.i\t', /system\.info $/],
  [`midclt -u ${SYSTEM.slice(0, -4)}\t`, /api\/current ?$/],
  ['midclt -p nas1,@l\t', /@lab $/],
  ['midclt -p @l\t', /@lab $/],
  ['midclt call -jp des\t', /description $/],
  ['midclt call system.info ke\tXX', /info ke(?!y)[^]*XX\s*$/],
  ['midclt -p nas1 describe system.\t\t', /system\.info[^]*system\.version/],
  ['midclt -K key\t', /key\\ file $/],
] as const;

t.test('bash at a terminal', { skip: missing('bash', 'script') }, async (t) => {
  const shells = makeShells(t);
  fs.writeFileSync(
    `${shells.home}/rc`,
    `PS1='READ''Y> '; eval "$(midclt completion bash)"; bind 'set enable-bracketed-paste off'`,
  );
  await atPrompt(t, 'bash --noprofile --rcfile rc -i', TYPED, shells);
});

/** The scripts where the Debian package puts them, in a data directory that the shells' own loaders look into. */
function installed(home: string): string {
  const data = `${home}/share`;
  for (const [script, place] of [
    ['midclt.bash', 'bash-completion/completions/midclt'],
    ['midclt.fish', 'fish/vendor_completions.d/midclt.fish'],
  ] as const) {
    fs.mkdirSync(path.dirname(`${data}/${place}`), { recursive: true });
    fs.copyFileSync(`${SCRIPTS}/${script}`, `${data}/${place}`);
  }
  return `${data}:/usr/local/share:/usr/share`;
}

const LOADER = '/usr/share/bash-completion/bash_completion';
const lacksLoader = !fs.existsSync(LOADER) && 'bash-completion not installed';

t.test(
  "bash-completion's loader finds it at the first Tab",
  { skip: missing('bash', 'script') || lacksLoader },
  async (t) => {
    const shells = makeShells(t);
    const env = { ...shells.env, XDG_DATA_DIRS: installed(shells.home) };
    fs.writeFileSync(
      `${shells.home}/rc`,
      `. ${LOADER}; PS1='READ''Y> '; bind 'set enable-bracketed-paste off'`,
    );
    const shell = 'bash --noprofile --rcfile rc -i';
    await atPrompt(t, shell, TYPED, { ...shells, env });
  },
);

t.test("fish finds it among its vendors' completions", { skip: missing('fish') }, async (t) => {
  const { home, env } = makeShells(t);
  const lines = CASES.flatMap((_case, i) => [`echo '#${i}'`, `complete -C"$LINE${i}"`]);
  fs.writeFileSync(`${home}/driver`, lines.join('\n'));
  const more = { ...env, ...LINE, XDG_DATA_DIRS: installed(home) };
  const { stdout, stderr } = run('fish', `${home}/driver`, more, home);
  t.equal(stderr, '');
  check(t, stdout);
});

t.test('zsh at a terminal', { skip: missing('zsh', 'script') }, async (t) => {
  const rows = [
    ...TYPED,
    ['midclt ca\t', /call $/],
    ['midclt call --jo\t\t', /--job[^]*--job-print {2}-- how to show/],
    ['midclt -p nas2,nas\t\t', /nas1 {2}-- wss:/],
  ] as const;
  for (const setUp of [
    'autoload -Uz compinit; compinit -u -D; eval "$(midclt completion zsh)"',
    `fpath=(${SCRIPTS} $fpath); autoload -Uz compinit; compinit -u -D`,
  ]) {
    const shells = makeShells(t);
    fs.writeFileSync(
      `${shells.home}/.zshrc`,
      `${setUp}; unsetopt zle_bracketed_paste; PS1='READY> '`,
    );
    await atPrompt(t, 'zsh -d -i', rows, shells);
  }
});

t.test('names that a server chose for harm are not offered, and never run', async (t) => {
  const hostile = ['$(touch x)', '`touch x`', 'a;touch x', "a'b", '-rf', 'a b', 'b'.repeat(300)];
  const { home, env } = makeShells(t, [...hostile, 'good.one', 'good.\x1b[31mtwo', 'g&touch x&']);
  const lists = await midclt(['complete', 'methods', '-p', 'nas1'], { home });
  t.equal(lists.stdout, 'good.one\tWhat good.one does\n');
  for (const shell of ['bash', 'fish']) {
    const line =
      shell === 'bash' ? BASH_LINE : `source "$SCRIPT"\ncomplete -C'midclt -p nas1 call '`;
    fs.writeFileSync(`${home}/driver`, line);
    const SCRIPT = `${SCRIPTS}/midclt.${shell}`;
    const { stdout, error } = run(shell, `${home}/driver`, { ...env, SCRIPT }, home);
    if (error) continue;
    t.equal(stdout.split('\t')[0]?.trim(), 'good.one', shell);
  }
  t.notOk(fs.existsSync(`${home}/x`));

  // A file of the right form that nothing of this program has written.
  const [file = ''] = fs.readdirSync(`${home}/.midclt`);
  const text = fs.readFileSync(`${home}/.midclt/${file}`, 'utf8');
  fs.writeFileSync(`${home}/.midclt/${file}`, text.replace('good.one', 'good\none'));
  const broken = await midclt(['complete', 'methods', '-p', 'nas1'], { home });
  t.match(broken.stdout, /^good\t\none\t.*\n$/, 'still names alone');
});

t.test('Debian’s other name is completed, by the program of that name', async (t) => {
  const { home, env } = makeShells(t);
  // What another package has there.
  fs.renameSync(`${home}/bin/midclt`, `${home}/bin/midclt-node`);
  fs.writeFileSync(`${home}/bin/midclt`, '#!/bin/sh\necho no.such\n', { mode: 0o755 });
  const bash = BASH_LINE.replaceAll('midclt -p', 'midclt-node -p').replace('=20', '=25');
  const fish = `source "$SCRIPT"\ncomplete -C'midclt-node -p nas1 call '`;
  const zsh = 'words=(midclt-node); kind=methods system=(-p nas1); . "$SCRIPT"; _midclt_ask $words';
  for (const [shell, file, line] of [
    ['bash', 'midclt.bash', `${bash}\ncomplete -p midclt-node >/dev/null`],
    ['fish', 'midclt.fish', fish],
    ['zsh', '_midclt', zsh],
  ] as const) {
    if (missing(shell)) continue;
    fs.writeFileSync(`${home}/driver`, line);
    const SCRIPT = `${SCRIPTS}/${file}`;
    const { stdout, stderr, status } = run(shell, `${home}/driver`, { ...env, SCRIPT }, home);
    t.match({ status, stderr }, { status: 0, stderr: '' }, shell);
    const words = stdout
      .trim()
      .split('\n')
      .map((each) => each.split('\t')[0]);
    t.same(words, ['system.info', 'system.version'], shell);
  }
  t.match(fs.readFileSync(`${SCRIPTS}/_midclt`, 'utf8'), /^#compdef midclt midclt-node$/m);
});

const BASH_LINE = String.raw`. "$SCRIPT"
COMP_LINE='midclt -p nas1 call ' COMP_POINT=20 COMP_WORDS=(midclt -p nas1 call '') COMP_CWORD=4
_midclt
printf '%s\n' "@{COMPREPLY[@]}"`.replaceAll('@{', '${');

t.test('a cold cache connects to nothing, and offers nothing', async (t) => {
  const home = makeHome(t);
  let connections = 0;
  const server = net.createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const env = { MIDCLT_URI: `ws://127.0.0.1:${port}/api/current`, MIDCLT_USE_DAEMON: '1' };
  for (const list of ['methods', 'uploads']) {
    const { code, stdout, stderr } = await midclt(['complete', list], { home, env });
    t.same({ code, stdout, stderr }, { code: 0, stdout: '', stderr: '' });
  }
  t.match((await midclt(['complete', 'events'], { home, env })).stdout, /^core\.get_jobs\t\n/);
  t.match(await midclt(['complete', 'nosuch'], { home, env }), { code: 1, stdout: '', stderr: '' });
  t.match(await midclt(['complete', 'methods', '-p', 'x'], { home, env }), {
    stdout: '',
    stderr: '',
  });
  t.equal(connections, 0);
  t.notOk(fs.existsSync(`${home}/.midclt`), 'nor is anything written');
});

t.test('a daemon that runs is asked in the background, by one at a time', async (t) => {
  const { home, uri, sandbox } = await startDaemon(t);
  const { logins } = sandbox.stats;
  const ask = () => midclt(['complete', 'methods', '-u', uri], { home });
  const first = await Promise.all([ask(), ask(), ask()]);
  t.ok(first.some(({ stdout }) => stdout === ''));
  await until('the names', async () => (await ask()).stdout.includes('system.info\t'));
  t.equal(sandbox.countOf('core.get_methods'), 1);
  t.equal(sandbox.stats.logins, logins);
  await until('the end', () =>
    fs.readdirSync(`${home}/.midclt`).every((name) => !/asking/.test(name)),
  );
  t.match((await midclt(['complete', 'events', '-u', uri], { home })).stdout, /^core\.get_jobs\t/m);
});

t.test('a daemon that does not answer is asked once, and nobody waits for it', async (t) => {
  const home = makeHome(t);
  let connections = 0;
  const server = net.createServer((socket) => {
    connections++;
    socket.destroy();
  });
  fs.mkdirSync(`${home}/.midclt`, { mode: 0o700 });
  await new Promise<void>((resolve) => server.listen(`${home}/.midclt/daemon-local.sock`, resolve));
  fs.chmodSync(`${home}/.midclt/daemon-local.sock`, 0o600);
  t.teardown(() => server.close());
  const ask = () => midclt(['complete', 'methods'], { home });
  t.match(await ask(), { code: 0, stdout: '', stderr: '' });
  await until('the daemon to be asked', () => connections > 0);
  const mark = `${home}/.midclt/daemon-local.asking`;
  const { mtimeMs } = fs.statSync(mark);
  t.match(await ask(), { code: 0, stdout: '', stderr: '' });
  t.equal(fs.statSync(mark).mtimeMs, mtimeMs, 'not again so soon');
  fs.utimesSync(mark, 1, 1);
  t.match(await ask(), { code: 0, stdout: '', stderr: '' });
  t.ok(fs.statSync(mark).mtimeMs > mtimeMs, 'but later');
});

t.test('ids of jobs are those that a running daemon tells of', async (t) => {
  const { home, uri, d } = await startDaemon(t);
  const ask = (list: string) => midclt(['complete', list, '-u', uri], { home });
  t.match(await d(['call', '-j', 'test.job', '1', '0']), { code: 0 });
  t.match(await d(['call', '-j', '--detach', 'test.job_abortable', '300']), { stdout: '2\n' });
  await until('both', async () => {
    const { stdout } = await ask('jobs'); // a machine under load may be late
    return stdout === '2\ttest.job_abortable RUNNING\n1\ttest.job SUCCESS\n';
  });
  await until('the one that has not ended', async () => {
    return (await ask('open-jobs')).stdout === '2\ttest.job_abortable RUNNING\n';
  });
  t.match(await d(['job', 'abort', '2']), { code: 0 });
  t.match(await midclt(['complete', 'jobs', '-u', 'nas.invalid'], { home }), {
    ...{ code: 0, stdout: '', stderr: '' },
  });
});
