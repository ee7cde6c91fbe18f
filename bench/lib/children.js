'use strict';
// Every process a benchmark starts, so that none outlives it.
const { fork, spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const BINARY = path.join(__dirname, '../../dist/bin/midclt.js');
/** What npm installs. */
const LAUNCHER = path.join(__dirname, '../../dist/bin/midclt');
/** Milliseconds a process has to end by itself when it is asked to. */
const PATIENCE = 3000;

const running = new Set();
/** Homes whose daemons were started by calls: children of nobody here. */
const homes = new Set();

/**
 * This process's environment without what would slow Node's start (NODE_EXTRA_CA_CERTS, a test
 * runner's NODE_OPTIONS) or stand in for options.
 */
function environment(home, extra = {}) {
  const env = { ...process.env, HOME: home, LANG: 'C.UTF-8', MIDCLT_AUTOSTART: '0', ...extra };
  for (const name of Object.keys(process.env)) {
    if (/^(NODE_|MIDCLT_|TAP|XDG_CONFIG_HOME)/.test(name) && name !== 'MIDCLT_AUTOSTART')
      delete env[name];
  }
  return env;
}

function track(child) {
  running.add(child);
  child.closed = new Promise((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  return child;
}

function start(command, args, options) {
  return track(spawn(command, args, options));
}

/** Milliseconds from the start of a command to its end; throws if it fails. */
function timed(command, args, options) {
  const started = performance.now();
  const { status, error } = spawnSync(command, args, { stdio: 'ignore', ...options });
  const took = performance.now() - started;
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: exit code ${status}`);
  return took;
}

/** Resolves with what a command wrote to stdout, and how many milliseconds it took. */
async function output(command, args, options = {}) {
  const started = performance.now();
  const child = start(command, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  const { code } = await child.closed;
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit code ${code}`);
  return { text, took: performance.now() - started };
}

/** Resolves with how many milliseconds a command took, and the most memory it had, in MB; Linux only. */
async function peakOf([file, ...args], options = {}) {
  const started = performance.now();
  const child = start(file, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options });
  let peak = 0;
  let running = true;
  let took = 0;
  void child.closed.then(() => {
    running = false;
    took = performance.now() - started;
  });
  while (running) {
    const status = readIfThere(`/proc/${child.pid}/status`);
    peak = Math.max(peak, Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { code } = await child.closed;
  if (code !== 0) throw new Error(`${file} ${args.join(' ')}: exit code ${code}`);
  return { took, peak };
}

function readIfThere(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/**
 * Starts `bench/workers/NAME.js`; `ask(verb, argument)` resolves with what its function of that name
 * returns (see answering.js).
 */
function startWorker(name, home) {
  const script = path.join(__dirname, '../workers', `${name}.js`);
  const child = track(fork(script, [home], { env: environment(home), execArgv: [] }));
  let next = 0;
  const waiting = new Map();
  child.on('message', ({ id, result, error }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(`${name}: ${error}`));
  });
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${name} ended (${code})`));
  });
  const ask = (verb, argument) =>
    new Promise((resolve, reject) => {
      const id = (next += 1);
      waiting.set(id, { resolve, reject });
      child.send({ id, verb, argument });
    });
  return { pid: child.pid, ask, end: () => end(child) };
}

/** Asks a process to end, makes it end if it does not, and resolves when it is gone. */
async function end(child) {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  await child.closed;
  clearTimeout(timer);
}

/** The daemons of this home, by their pid files. From now on they end with the benchmarks. */
function adopt(home) {
  homes.add(home);
  const directory = path.join(home, '.midclt');
  if (!fs.existsSync(directory)) return [];
  const files = fs.readdirSync(directory).filter((name) => name.endsWith('.pid'));
  return files.map((name) => Number(fs.readFileSync(path.join(directory, name), 'utf8')));
}

function endAdopted() {
  for (const pid of [...homes].flatMap(adopt)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended
    }
  }
}

async function endAll() {
  await Promise.all([...running].map(end));
  endAdopted();
}

async function killAll() {
  endAdopted();
  while (running.size > 0) {
    const children = [...running];
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(children.map((child) => child.closed));
  }
}

function isInstalled(tool) {
  return spawnSync('/bin/sh', ['-c', `command -v ${tool}`]).status === 0;
}

module.exports = {
  BINARY,
  LAUNCHER,
  adopt,
  end,
  endAll,
  environment,
  isInstalled,
  killAll,
  output,
  peakOf,
  start,
  startWorker,
  timed,
};
