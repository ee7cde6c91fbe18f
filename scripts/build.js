'use strict';
// Builds dist/: tsc writes the library and its types; esbuild then writes the two files the
// binary runs from. midclt.js is all that `midclt -d call` loads; full.js holds the rest.
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

/** The thin bundle reaches everything heavy through one door, `./full.js`, opened when needed. */
const door = {
  name: 'full-is-external',
  setup(build) {
    build.onResolve({ filter: /\/full\.js$/ }, () => ({ path: './full.js', external: true }));
  },
};

async function main() {
  const thin = await esbuild.build({
    ...common,
    entryPoints: ['bin/midclt.ts'],
    outfile: path.join(dist, 'bin/midclt.js'),
    allowOverwrite: true,
    plugins: [door],
  });
  fs.chmodSync(path.join(dist, 'bin/midclt.js'), 0o755);
  fs.rmSync(path.join(dist, 'bin/midclt.d.ts'), { force: true });
  await esbuild.build({
    ...common,
    entryPoints: ['lib/cli/full.ts'],
    outfile: path.join(dist, 'bin/full.js'),
    external: ['bufferutil', 'utf-8-validate'],
  });
  fs.writeFileSync(path.join(dist, 'meta.json'), JSON.stringify(thin.metafile, null, 1));
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
