#!/usr/bin/env node
/** Runs the bundle of the daemon path, which opens the others when it needs them. */
import { isNodeTooOld, LEAST_NODE, load } from '../lib/cli/compiled.js';

const BUNDLES: ReadonlySet<string> = new Set([
  './direct.js',
  './full.js',
  './profile.js',
  './sandbox.js',
]);
const opened = new Map<string, unknown>();

// Node would open a debugger's port, at which every user of the machine may run code in this process.
process.on('SIGUSR1', () => undefined);

function open(name: string): unknown {
  const filename = `${__dirname}/${name}`;
  const module: { exports: { program?: () => unknown } } = { exports: {} };
  load(filename).main(module.exports, requireFrom, module, filename, __dirname);
  // The library is in the same file.
  return module.exports.program?.() ?? module.exports;
}

function requireFrom(name: string): unknown {
  if (!BUNDLES.has(name)) return require(name);
  if (!opened.has(name)) opened.set(name, open(name.slice(2)));
  return opened.get(name);
}

// npm only warns of it, and what an old Node lacks would look like a mistake of this program's.
if (isNodeTooOld(process.versions.node)) {
  process.stderr.write(
    `Error: midclt needs Node ${LEAST_NODE.join('.')} or later, and ${process.execPath} is ${process.versions.node}; https://nodejs.org/en/download has one for every system\n`,
  );
  process.exitCode = 1;
} else {
  open('thin.js');
}
