'use strict';
// An echo server for a middleware, and daemons on it, each in a process and a home of its own.
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { BINARY, end, environment, output, start, startWorker } = require('./children.js');

/** Milliseconds until a daemon has to accept connections. */
const PATIENCE = 60_000;
/** Runs a command with as many descriptors as the system allows. */
const WITH_DESCRIPTORS = 'ulimit -n "$(ulimit -H -n)"; exec "$@"';

async function startEchoServer(home) {
  fs.mkdirSync(home, { recursive: true });
  const worker = startWorker('echo-server', home);
  const socket = path.join(home, 'mw.sock');
  await worker.ask('listen', socket);
  return { socket, uri: `ws+unix://${socket}`, pid: worker.pid, end: worker.end };
}

/** A bare relay to the echo server at that socket, as one writes it by hand. */
async function startRelay(home, upstream) {
  fs.mkdirSync(home, { recursive: true });
  const worker = startWorker('relay', home);
  const socket = path.join(home, 'relay.sock');
  await worker.ask('listen', { path: socket, upstream });
  return { socket, pid: worker.pid, end: worker.end };
}

/**
 * Starts `midclt daemon` and resolves when it accepts connections.
 * @param {string} home
 * @param {string} uri
 * @param {object} [options]
 * @param {string[]} [options.args] of `daemon`
 * @param {string} [options.profile] a directory to which Node writes a CPU profile when it ends
 */
async function startDaemon(home, uri, { args = [], profile } = {}) {
  const node = profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [];
  const command = [process.execPath, ...node, BINARY, '-u', uri, 'daemon', '--lifetime', '600'];
  return running(home, uri, [...command, ...args]);
}

/** The same of another program with the same options and the same files: `MIDCLT_PEER=command`. */
async function startPeerDaemon(home, uri) {
  return running(home, uri, [...peerCommand(), '-u', uri, 'daemon']);
}

/**
 * The simulated middleware, over a Unix socket and over TLS, with the API key of its administrator: what the echo server
 * has not, logins, events and calls that take their time.
 */
async function startSandbox(home) {
  const socket = path.join(home, 'box.sock');
  const args = [BINARY, 'sandbox', '--unix', socket, '--wss', '0'];
  const stdio = ['ignore', 'pipe', 'inherit'];
  const child = start(process.execPath, args, { env: environment(home), cwd: home, stdio });
  let text = '';
  const told = new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      text += chunk;
      const found = /(wss:\S+)[^]*^ {2}admin +(\S+)$/m.exec(text);
      if (found) resolve({ wss: found[1], key: found[2] });
    });
    child.once('close', () => reject(new Error(`the sandbox ended: ${text}`)));
  });
  return { ...(await told), unix: `ws+unix://${socket}`, end: () => end(child) };
}

/** The command of `MIDCLT_PEER` as an argument vector, or null. */
function peerCommand() {
  const command = (process.env.MIDCLT_PEER ?? '').trim();
  return command === '' ? null : command.split(/\s+/);
}

async function running(home, uri, command) {
  fs.mkdirSync(home, { recursive: true });
  const child = start('/bin/sh', ['-c', WITH_DESCRIPTORS, 'sh', ...command], {
    env: environment(home),
    cwd: home,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const identifier = createHash('sha256').update(uri).digest('hex').slice(0, 12);
  const socket = path.join(home, '.midclt', `daemon-${identifier}.sock`);
  const deadline = Date.now() + PATIENCE;
  while (!(await accepts(socket))) {
    if (child.exitCode ?? child.signalCode) throw new Error(`the daemon ended: ${stderr}`);
    if (Date.now() > deadline) throw new Error('the daemon accepts no connections');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return { home, socket, pid: child.pid, end: () => end(child) };
}

function accepts(socket) {
  return new Promise((resolve) => {
    const connection = net.connect(socket);
    connection.on('error', () => resolve(false));
    connection.on('connect', () => {
      connection.destroy();
      resolve(true);
    });
  });
}

/** Whether `midclt ARGS` knows this option. */
async function hasOption(home, args, option) {
  const { text } = await output(process.execPath, [BINARY, ...args, '-h'], {
    env: environment(home),
  });
  return text.includes(option);
}

module.exports = {
  hasOption,
  peerCommand,
  startDaemon,
  startEchoServer,
  startPeerDaemon,
  startRelay,
  startSandbox,
};
