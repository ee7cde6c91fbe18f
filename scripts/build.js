'use strict';
// Builds dist/: tsc writes the library and its types; esbuild then writes the files the binary
// runs from. thin.js is all that `midclt -d call` loads, direct.js is a call without a daemon, sandbox.js is
// `midclt sandbox`, profile.js reads profiles, full.js holds the rest; what is compiled of each already is in a file of its name, `*.cache`.
// `midclt`, which npm installs, is a shell's script, the launcher. dist/man has the manual pages, dist/completion what
// shells complete command lines with.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const esbuild = require('esbuild');

const root = path.join(__dirname, '..');
const dist = path.join(root, 'dist');

fs.rmSync(dist, { recursive: true, force: true });

const tsc = spawnSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', root], {
  stdio: 'inherit',
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

/** By the names under which the shells look for them. */
const COMPLETION = [
  ['bash', 'midclt.bash'],
  ['zsh', '_midclt'],
  ['fish', 'midclt.fish'],
];

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  minify: false,
  sourcemap: false,
  logLevel: 'warning',
  metafile: true,
};

/** The thin bundle reaches the two others through these doors, opened when they are needed. */
const doors = {
  name: 'bundles-are-external',
  setup(build) {
    const other = (filter, path) => build.onResolve({ filter }, () => ({ path, external: true }));
    other(/\/full\.js$/, './full.js');
    other(/\/commands\/direct\.js$/, './direct.js');
    other(/\/commands\/sandbox\.js$/, './sandbox.js');
    other(/\/args\/profile\.js$/, './profile.js');
  },
};

/** What is not needed for a call without a daemon. */
const rest = {
  name: 'rest-is-external',
  setup({ onResolve }) {
    onResolve({ filter: /\/full\.js$/ }, () => ({ path: './full.js', external: true }));
  },
};

/** through2 brings a copy of Node's streams, which is as large as ws, and slower. */
const nodeStreams = {
  name: 'node-streams',
  setup({ onResolve }) {
    onResolve({ filter: /^readable-stream$/ }, () => ({ path: 'stream', external: true }));
  },
};

/** Of Node's own modules, what ws needs for `wss:` or compression alone. */
const LATE = /^(?:https|tls|zlib|querystring)$/;

/** For a bundle that makes one call: its start is most of what that costs. */
const light = {
  name: 'light',
  setup({ initialOptions, onResolve, onLoad }) {
    const ws = path.dirname(require.resolve('ws'));
    // Loaded when ws uses them.
    onResolve({ filter: LATE }, ({ path: name, importer }) =>
      importer.startsWith(ws) ? { path: name, namespace: 'late' } : undefined,
    );
    onLoad({ filter: /./, namespace: 'late' }, ({ path: name }) => ({
      contents: `module.exports = new Proxy({}, { get: (_, member) => require('${name}')[member] });`,
    }));
    // Its client alone, which would look for a library that masks faster.
    onResolve({ filter: /^ws$/ }, () => ({ path: 'ws', namespace: 'client' }));
    onLoad({ filter: /./, namespace: 'client' }, () => ({
      contents: "exports.WebSocket = require('./lib/websocket.js');",
      resolveDir: ws,
    }));
    initialOptions.define = { 'process.env.WS_NO_BUFFER_UTIL': '"1"' };
  },
};

/** A run of its own, since the bundle ends its process. Without what it keeps, all runs the same, later. */
function precompile() {
  const env = { PATH: process.env.PATH, HOME: process.env.HOME };
  const command = [path.join(dist, 'bin/precompile.js')];
  const { status, stderr } = spawnSync(process.execPath, command, { env, encoding: 'utf8' });
  if (status !== 0) console.error(`The bundles are not compiled: ${stderr}`);
}

function bundle(entry, name, more) {
  const outfile = path.join(dist, 'bin', name);
  return esbuild.build({ ...common, entryPoints: [entry], outfile, allowOverwrite: true, ...more });
}

async function main() {
  // One function, as lib/cli/compiled.ts wants it. What is smaller is read sooner.
  const main = {
    banner: { js: '(function (exports, require, module, __filename, __dirname) {' },
    footer: { js: '})' },
    minifySyntax: true,
    minifyWhitespace: true,
  };
  const thin = await bundle('lib/cli/thin.ts', 'thin.js', { ...main, plugins: [doors] });
  const external = ['bufferutil', 'utf-8-validate'];
  const full = await bundle('lib/cli/full.ts', 'full.js', {
    ...main,
    external,
    plugins: [nodeStreams],
  });
  const direct = await bundle('lib/cli/commands/direct.ts', 'direct.js', {
    ...main,
    external,
    plugins: [nodeStreams, light, rest],
  });
  await bundle('lib/cli/commands/sandbox.ts', 'sandbox.js', { ...main, external });
  await bundle('lib/cli/args/profile.ts', 'profile.js', main);
  for (const name of ['midclt', 'precompile']) {
    await bundle(`bin/${name}.ts`, `${name}.js`);
    fs.rmSync(path.join(dist, `bin/${name}.d.ts`));
  }
  const { launcher } = require(path.join(dist, 'lib/cli/shell/init.js'));
  fs.writeFileSync(path.join(dist, 'bin/midclt'), launcher());
  for (const name of ['midclt', 'midclt.js']) fs.chmodSync(path.join(dist, 'bin', name), 0o755);
  for (const [name, { metafile }] of Object.entries({
    meta: thin,
    'meta-full': full,
    'meta-direct': direct,
  }))
    fs.writeFileSync(path.join(dist, `${name}.json`), JSON.stringify(metafile, null, 1));
  precompile();
  const { completionScript } = require(path.join(dist, 'lib/cli/completion/script.js'));
  fs.mkdirSync(path.join(dist, 'completion'));
  for (const [shell, file] of COMPLETION)
    fs.writeFileSync(path.join(dist, 'completion', file), completionScript(shell));
  const { writePages } = require('./man.js'); // which reads what has just been built
  await writePages();
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
