/**
 * Opens the program's bundles and keeps what V8 compiled for that; the daemon path's it runs first as `-d call`
 * does, against a daemon that is none. A process of its own, because the call ends it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { load } from '../lib/cli/compiled.js';
import { daemonPaths } from '../lib/files/paths.js';

const URI = 'ws+unix:///of/no/server';
const THIN = `${__dirname}/thin.js`;
const OTHERS = ['full.js', 'sandbox.js'].map((name) => `${__dirname}/${name}`);

function run(): void {
  const thin = load(THIN);
  const others = OTHERS.map((filename) => ({ filename, ...load(filename) }));
  if (thin.wasCompiled && others.every(({ wasCompiled }) => wasCompiled)) return;
  for (const { filename, main, keep } of others) {
    main({}, require, { exports: {} }, filename, __dirname);
    keep();
  }
  const home = mkdtempSync('/tmp/m-');
  process.env.MIDCLT_HOME = home;
  process.on('exit', (code) => {
    rmSync(home, { recursive: true, force: true });
    if (code === 0) thin.keep();
  });
  const daemon = createServer((socket) => {
    socket.once('data', () => socket.end('{"type":"result","result":"pong"}\n'));
  });
  daemon.listen(daemonPaths(URI, null).socket, () => {
    process.argv = [process.execPath, THIN, '-u', URI, '-d', 'call', 'test.echo', '1', 'x'];
    thin.main({}, require, { exports: {} }, THIN, __dirname);
  });
}

run();
