#!/usr/bin/env node
/** Runs the bundle of the daemon path, which opens the others when it needs them. */
import { load } from '../lib/cli/compiled.js';

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

open('thin.js');
