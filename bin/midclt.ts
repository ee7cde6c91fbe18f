#!/usr/bin/env node
/** Runs the bundle of the daemon path, which opens the one with the rest of the program when it needs it. */
import { load } from '../lib/cli/compiled.js';

const REST = './full.js';
let rest: unknown;

// Node would open a debugger's port, at which every user of the machine may run code in this process.
process.on('SIGUSR1', () => undefined);

function open(name: string): unknown {
  const filename = `${__dirname}/${name}`;
  const module = { exports: {} };
  load(filename).main(module.exports, requireFrom, module, filename, __dirname);
  return module.exports;
}

function requireFrom(name: string): unknown {
  return name === REST ? (rest ??= open(REST.slice(2))) : require(name);
}

open('thin.js');
