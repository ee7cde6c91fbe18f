/** A current directory that somebody else has filled: nothing in it is run or read unless a command names it. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon } from '../support/daemon.js';
import { BINARY, LAUNCHER, makeHome, missing, shell } from '../support/midclt.js';

t.setTimeout(240_000);

/** Programs that ours, Node or a shell could start. */
const PROGRAMS = [
  ...['node', 'midclt', 'midclt.js', 'sh', 'bash', 'env', 'nc', 'nc.openbsd', 'socat', 'ls', 'cat'],
  ...[
    'dd',
    'date',
    'sed',
    'sleep',
    'readlink',
    'sha256sum',
    'systemctl',
    'systemd-analyze',
    'ps',
    'less',
  ],
];
/** What Node, npm, or a program of their kind reads where it is started. */
const MODULES = [
  ...[
    'index.js',
    'index.json',
    'thin.js',
    'full.js',
    'direct.js',
    'profile.js',
    'sandbox.js',
    'ws',
  ],
  ...['.pnp.cjs', '.pnp.loader.mjs', 'node_modules/ws/index.js', 'node_modules/midclt/index.js'],
  ...[
    'node_modules/tslib/index.js',
    'node_modules/bufferutil/index.js',
    'node_modules/utf-8-validate/index.js',
  ],
];
const SETTINGS: Readonly<Record<string, string>> = {
  '.npmrc': 'node-options=--require ./index.js\n',
  '.env': 'NODE_OPTIONS=--require=./index.js\nMIDCLT_URI=ws+unix:///evil\nMIDCLT_HOME=/evil\n',
  'node.config.json': '{"nodeOptions": {"import": ["./index.js"]}}',
  'package.json':
    '{"type": "module", "main": "index.js", "exports": {}, "imports": {"#x": "./index.js"}}',
  '.midclt/daemon-local.pid': '1',
  'openssl.cnf': 'evil',
  '.ca.pem': 'evil',
  trusted: '127.0.0.1 sha256:00\n',
  local: 'evil',
  admin: 'evil',
};
const PROFILES = 'default = "evil"\n[profile.evil]\nuri = "ws+unix:///evil"\n';
for (const name of ['profiles.toml', '.config/midclt/profiles.toml'])
  Object.assign(SETTINGS, { [name]: PROFILES });
for (const name of ['midclt.ini', '.midcltrc', 'midclt.toml', '.midclt.toml', 'midclt.json'])
  Object.assign(SETTINGS, {
    [name]: '[TRUENAS_API_KEY]\nusername = evil\nuri = ws+unix:///evil\n',
  });

/** Who starts one of its programs or loads one of its modules leaves a trace. */
function hostileDirectory(t: Test): { cwd: string; traces: () => string[] } {
  const cwd = makeHome(t);
  const trace = makeHome(t);
  const put = (name: string, text: string, mode: number) => {
    fs.mkdirSync(path.dirname(`${cwd}/${name}`), { recursive: true });
    fs.writeFileSync(`${cwd}/${name}`, text, { mode });
  };
  for (const name of MODULES)
    put(
      name,
      `require('node:fs').writeFileSync('${trace}/' + require('node:path').basename(__filename), '')`,
      0o644,
    );
  for (const name of PROGRAMS) put(name, `#!/bin/sh\n: > ${trace}/${name}\n`, 0o755);
  for (const [name, text] of Object.entries(SETTINGS)) put(name, text, 0o644);
  return { cwd, traces: () => fs.readdirSync(trace) };
}

const COMMANDS: readonly (readonly [command: string, code: number])[] = [
  ['version', 0],
  ['-h', 0],
  ['call -h', 0],
  ['-u URI call core.ping', 0],
  ['-u URI -d call core.ping', 0],
  ['-u URI -d ping', 0],
  ['-u URI -d batch </dev/null', 0],
  ['-u URI methods', 0],
  ['-u URI describe core.ping', 0],
  ['-u URI doctor', 0],
  ['-u URI daemon-status', 0],
  ['-u URI daemon-log', 0],
  ['-u URI -d job list', 0],
  ['-p all ping', 1],
  ['-p evil ping', 1],
  ['profile list', 0],
  ['daemon-list', 0],
  ['completion bash', 0],
  ['complete systems', 0],
  ['complete methods -u URI', 0],
];

t.test('a hostile current directory', async (t) => {
  const daemon = await startDaemon(t);
  const { cwd, traces } = hostileDirectory(t);
  const control = await shell(`PATH=".:$PATH"; ls; "${process.execPath}" ./.pnp.cjs`, {
    home: daemon.home,
    cwd,
  });
  t.match(control, { code: 0 });
  t.same(traces().sort(), ['.pnp.cjs', 'ls'], 'it would leave traces');
  const programs = {
    program: `"${process.execPath}" "${BINARY}"`,
    launcher: `"${LAUNCHER}"`,
    'launcher by sh': `sh "${LAUNCHER}"`,
    'launcher in PATH': `PATH="${path.dirname(LAUNCHER)}:$PATH" midclt`,
    'launcher by a link': `"${daemon.home}/link"`,
  };
  fs.symlinkSync(LAUNCHER, `${daemon.home}/link`);
  const clean = makeHome(t);
  // A shell takes none of these from its surroundings; and what is set for a terminal counts for no script.
  const env = { IFS: './', ENV: './index.js', CDPATH: '.', PS4: '$(ls)' };
  for (const [name, program] of Object.entries(programs)) {
    for (const [command, code] of COMMANDS) {
      const line = `unset NODE_OPTIONS; ${program} ${command.replaceAll('URI', daemon.uri)}`;
      const options = { home: daemon.home, env };
      const before = traces().length;
      const run = await shell(line, { ...options, cwd });
      const what = `${name}: ${command}: ${run.stderr}`;
      t.equal(traces().length, before, `${what} ${traces().join()}`);
      t.equal(run.code, code, what);
      t.notMatch(`${run.stdout}${run.stderr}`, /evil(?!')/, what);
      if (!/doctor|daemon-|-log/.test(command)) {
        const elsewhere = await shell(line, { ...options, cwd: clean });
        t.same(run, elsewhere, `${what}: as in an empty one`);
      }
    }
  }
});

/** It may be there, and not be allowed to. */
const noStrace =
  missing('strace') ||
  (spawnSync('strace', ['-o', '/dev/null', 'true']).status !== 0 && 'strace may not trace here');

/** Paths that are opened, run or looked at from the current directory: those that are not absolute. */
const RELATIVE =
  /\b(?:open|openat2?|execve|execveat|access|faccessat2?|readlink|readlinkat|statx?|newfstatat|lstat)\((?:AT_FDCWD, )?"(?!\/)[^"]/;

t.test('no path of it is opened or looked at', { skip: noStrace }, async (t) => {
  const daemon = await startDaemon(t);
  const cwd = makeHome(t);
  const trace = `${daemon.home}/trace`;
  for (const [command] of COMMANDS) {
    const line = `strace -f -s 300 -o ${trace} "${process.execPath}" "${BINARY}" ${command.replaceAll('URI', daemon.uri)}`;
    await shell(line, { home: daemon.home, cwd });
    const lines = fs.readFileSync(trace, 'utf8').split('\n');
    t.ok(
      lines.some((each) => /openat\(AT_FDCWD, "\//.test(each)),
      'it was traced',
    );
    const odd = lines.filter(
      (each) =>
        (RELATIVE.test(each) && !/\bexecve\("(?!\.)/.test(each)) || each.includes(`"${cwd}/`),
    );
    t.same(odd, [], command);
  }
});
