/**
 * Opens the program's bundles and keeps what V8 compiled for that. Those of calls it runs first, as a call does:
 * without a daemon against a middleware that is none, and through a daemon that is none either. A process of its
 * own, because the latter ends it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { WebSocketServer } from 'ws';
import { withEnvironment } from '../lib/cli/args/environment.js';
import { parseArgv } from '../lib/cli/args/argv.js';
import { load, type Loaded } from '../lib/cli/compiled.js';
import { daemonPaths } from '../lib/files/paths.js';

const NAMES = ['thin.js', 'direct.js', 'full.js', 'profile.js', 'sandbox.js'] as const;
const CALL = ['call', 'test.echo', '1', 'x'];

interface Bundle extends Loaded {
  readonly filename: string;
}

async function run(): Promise<void> {
  const [thin, direct, ...others] = NAMES.map((name) => open(name)) as [
    Bundle,
    Bundle,
    ...Bundle[],
  ];
  if ([thin, direct, ...others].every(({ wasCompiled }) => wasCompiled)) return;
  for (const bundle of others) {
    exportsOf(bundle);
    bundle.keep();
  }
  const home = mkdtempSync('/tmp/m-');
  process.env.MIDCLT_HOME = home;
  process.on('exit', () => {
    rmSync(home, { recursive: true, force: true });
  });
  await callDirectly(direct, `${home}/middleware`);
  direct.keep();
  process.on('exit', (code) => {
    if (code === 0) thin.keep();
  });
  callDaemon(thin);
}

function open(name: string): Bundle {
  const filename = `${__dirname}/${name}`;
  return { filename, ...load(filename) };
}

function exportsOf({ main, filename }: Bundle): unknown {
  const module: { exports: { program?: () => unknown } } = { exports: {} };
  main(module.exports, require, module, filename, __dirname);
  return module.exports.program?.() ?? module.exports;
}

async function callDirectly(bundle: Bundle, socket: string): Promise<void> {
  const server = createHttpServer();
  const middleware = new WebSocketServer({ server });
  middleware.on('connection', (client) => {
    client.on('message', (data: Buffer) => {
      const { id } = JSON.parse(data.toString()) as { id: string };
      client.send(`{"jsonrpc": "2.0", "result": "pong", "id": "${id}"}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const parsed = parseArgv(['-u', `ws+unix://${socket}`, ...CALL]);
  if (parsed.kind !== 'run') throw new Error('No call');
  const direct = exportsOf(bundle) as typeof import('../lib/cli/commands/direct.js');
  await direct.callDirectly(withEnvironment(parsed.args, {}));
  server.close();
}

function callDaemon(bundle: Bundle): void {
  const uri = 'ws+unix:///of/no/server';
  const daemon = createServer((socket) => {
    socket.once('data', () => socket.end('{"type":"result","result":"pong"}\n'));
  });
  daemon.listen(daemonPaths(uri, null).socket, () => {
    process.argv = [process.execPath, bundle.filename, '-u', uri, '-d', ...CALL];
    exportsOf(bundle);
  });
}

void run();
