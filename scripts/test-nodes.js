'use strict';
// Runs the core of the tests under each Node of test/nodes, which are installed there first:
//
//   npm run test:nodes [-- 20 24]
//
// They are npm's packages of Node for Linux on x64; its lock file says which, to the byte.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const nodes = path.join(root, 'test/nodes');

/** What touches what differs between Nodes: streams, sockets, TLS, processes, terminals, the V8 cache, modules. */
const CORE = [
  'e2e/wire/wire.test.ts',
  'e2e/wire/verbatim.test.ts',
  'e2e/cli/call.test.ts',
  'e2e/cli/compiled.test.ts',
  'e2e/cli/subscribe.test.ts',
  'e2e/api/connection.test.ts',
  'e2e/login/login.test.ts',
  'e2e/login/prompt.test.ts',
  'e2e/lifecycle/detach.test.ts',
  'unit/architecture.test.ts',
].map((file) => `test/${file}`);

function run(program, args, env = {}) {
  const options = { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } };
  const { error, status } = spawnSync(program, args, options);
  if (error) throw error;
  return status === 0;
}

function install() {
  const lock = (file) => fs.readFileSync(path.join(nodes, file), 'utf8');
  const installed = path.join(nodes, 'node_modules/.ours');
  if (fs.existsSync(installed) && lock('node_modules/.ours') === lock('package-lock.json')) return;
  const args = ['ci', '--prefix', nodes, '--ignore-scripts', '--no-audit', '--no-fund'];
  if (!run('npm', args)) throw new Error('The Nodes could not be installed');
  fs.copyFileSync(path.join(nodes, 'package-lock.json'), installed);
}

/** What is kept of the compiled program is one Node's. */
function precompile(node) {
  spawnSync(node, [path.join(root, 'dist/bin/precompile.js')]);
}

/** Of each Node: `{ name, title, node, env }`. Installs them where they are not; throws where that can't be done. */
function installed() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      'npm has these Nodes for Linux on x64; on this machine run npm test under each',
    );
  }
  install();
  const { dependencies } = require(path.join(nodes, 'package.json'));
  return Object.entries(dependencies).map(([name, version]) => {
    const bin = path.join(nodes, 'node_modules', name, 'bin');
    return {
      name,
      title: version.replace(/^.*@/, 'Node '),
      node: path.join(bin, 'node'),
      // The launcher starts what PATH has.
      env: { PATH: `${bin}:${process.env.PATH}` },
    };
  });
}

function main(wanted) {
  const found = installed().filter(
    ({ name }) => wanted.length === 0 || wanted.includes(name.replace('node', '')),
  );
  const failed = found.filter(({ title, node, env }) => {
    console.log(`# ${title}`);
    precompile(node);
    return !run(node, [path.join(root, 'scripts/test.js'), ...CORE], env);
  });
  precompile(process.execPath);
  if (failed.length > 0) console.log(`failed under ${failed.map(({ name }) => name).join(', ')}`);
  process.exitCode = failed.length > 0 || found.length === 0 ? 1 : 0;
}

module.exports = { installed, precompile };

if (require.main === module) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
