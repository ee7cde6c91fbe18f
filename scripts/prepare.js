'use strict';
// npm's `prepare`: builds after 'npm install' here, for 'npm install -g .', and in the clone that npm makes of a git address.
//
// 'npm run deb' begins with it, too, and says so.
//
// With -g npm installs no devDependencies, here or in its clone (npm/cli issue 8440), and a fresh clone has none to make a
// package with, so they are installed first.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const { npm_execpath: npm, npm_config_global: isGlobal, npm_config_prefix: prefix } = process.env;

/** npm's own clone of a git address, which it throws away. */
const isClone = process.env._PACOTE_NO_PREPARE_ !== undefined;

function run(...command) {
  // What the outer npm was told of its own installation.
  const own = /^npm_config_(?:global|location|prefix|local_prefix|omit|production|force|dry_run)$/;
  const env = Object.entries(process.env).filter(([name]) => !own.test(name));
  const options = { cwd: root, stdio: 'inherit', env: Object.fromEntries(env) };
  return spawnSync(process.execPath, command, options).status === 0;
}

function hasTools() {
  try {
    for (const tool of ['esbuild', 'typescript']) require.resolve(tool);
    return true;
  } catch {
    return false;
  }
}

function installTools() {
  if (!npm) return false;
  return run(npm, 'ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund');
}

/** A package.json without what npm would do, or warn of, where the package is only installed. */
function withoutPrepare(text) {
  const manifest = JSON.parse(text);
  delete manifest.scripts.prepare;
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** Whether npm had linked this folder to where global packages are, which it does before it runs this. */
function unlink() {
  if (isGlobal !== 'true' || !prefix) return false;
  const link = path.join(prefix, 'lib/node_modules/midclt');
  if (!fs.lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink()) return false;
  if (fs.realpathSync(link) !== fs.realpathSync(root)) return false;
  fs.rmSync(link);
  return true;
}

/** Builds, with tools that it installs if there are none; `command` is what was typed. Returns what went wrong. */
function build(command) {
  if (!hasTools() && !installTools()) {
    return `midclt: not built, since its devDependencies can't be installed. Run 'npm ci', then '${command}'`;
  }
  return run(path.join(__dirname, 'build.js'))
    ? null
    : "midclt: not built. 'npm run build' says why";
}

/** Returns what went wrong. */
function main() {
  const failure = build(process.argv[2] ?? 'npm install -g .');
  if (failure) return failure;
  if (isClone) {
    const manifest = path.join(root, 'package.json');
    fs.writeFileSync(manifest, withoutPrepare(fs.readFileSync(manifest, 'utf8')));
    // npm would unpack the package through the link: into the clone, which is gone a moment later.
    if (unlink()) fs.mkdirSync(path.join(prefix, 'lib/node_modules/midclt'));
  }
  return null;
}

module.exports = { build, withoutPrepare };

if (require.main === module) {
  const failure = main();
  if (failure) {
    console.error(failure);
    unlink();
  }
  process.exitCode = failure ? 1 : 0;
}
