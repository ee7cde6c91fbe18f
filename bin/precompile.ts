/**
 * Runs the daemon path's bundle as `-d call` does, against a daemon that is none, and keeps what
 * V8 compiled for it. A process of its own, because the call ends it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { load } from '../lib/compiled.js';
import { daemonPaths } from '../lib/paths.js';

const URI = 'ws+unix:///of/no/server';
const filename = `${__dirname}/thin.js`;

function run(): void {
  const { main, wasCompiled, keep } = load(filename);
  if (wasCompiled) return;
  const home = mkdtempSync('/tmp/m-');
  process.env.MIDCLT_HOME = home;
  process.on('exit', (code) => {
    rmSync(home, { recursive: true, force: true });
    if (code === 0) keep();
  });
  const daemon = createServer((socket) => {
    socket.once('data', () => socket.end('{"type":"result","result":"pong"}\n'));
  });
  daemon.listen(daemonPaths(URI, null).socket, () => {
    process.argv = [process.execPath, filename, '-u', URI, '-d', 'call', 'test.echo', '1', 'x'];
    main({}, require, module, filename, __dirname);
  });
}

run();
