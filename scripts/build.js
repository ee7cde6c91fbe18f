'use strict';
// Builds dist/: tsc writes what tests use, and types; esbuild then writes the library and the files the binary
// runs from. thin.js is all that `midclt -d call` loads, direct.js is a call without a daemon, sandbox.js is
// `midclt sandbox`, profile.js reads profiles, full.js holds the rest; what is compiled of each already is in a file of its name, `*.cache`.
// `midclt`, which npm installs, is a shell's script, the launcher. dist/man has the manual pages, dist/completion what
// shells complete command lines with.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const esbuild = require('esbuild');
const { entryOf, writeLibrary } = require('./library.js');
const { notices } = require('./notices.js');

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
  legalComments: 'none', // they are in THIRD_PARTY_NOTICES, once
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

const metafiles = [];

async function bundle(entry, name, more) {
  const outfile = path.join(dist, 'bin', name);
  const from = entry.endsWith('.ts')
    ? { entryPoints: [entry] }
    : { stdin: { contents: entry, resolveDir: root } };
  const options = { ...common, ...from, outfile, allowOverwrite: true, ...more };
  const { metafile } = await esbuild.build(options);
  metafiles.push(metafile);
  const meta = path.join(dist, `meta-${path.basename(name, '.js')}.json`);
  fs.writeFileSync(meta, JSON.stringify(metafile, null, 1));
}

async function main() {
  // What is smaller is read sooner.
  const main = { minifySyntax: true, minifyWhitespace: true };
  await bundle('lib/cli/thin.ts', 'thin.js', { ...main, plugins: [doors] });
  const external = ['bufferutil', 'utf-8-validate'];
  await bundle(entryOf('full'), 'full.js', {
    ...main,
    external,
    plugins: [nodeStreams],
  });
  await bundle('lib/cli/commands/direct.ts', 'direct.js', {
    ...main,
    external,
    plugins: [nodeStreams, light, rest],
  });
  await bundle(entryOf('sandbox'), 'sandbox.js', { ...main, external });
  await bundle('lib/cli/args/profile.ts', 'profile.js', main);
  writeLibrary(dist);
  for (const name of ['midclt', 'precompile']) {
    await bundle(`bin/${name}.ts`, `${name}.js`, main);
    fs.rmSync(path.join(dist, `bin/${name}.d.ts`));
  }
  const { launcher } = require(path.join(dist, 'lib/cli/shell/init.js'));
  fs.writeFileSync(path.join(dist, 'bin/midclt'), launcher());
  for (const name of ['midclt', 'midclt.js']) fs.chmodSync(path.join(dist, 'bin', name), 0o755);
  fs.writeFileSync(path.join(dist, 'THIRD_PARTY_NOTICES'), notices(root, metafiles));
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
