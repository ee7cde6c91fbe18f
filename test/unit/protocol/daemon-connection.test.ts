/** The client's end of the daemon's socket, against servers that do what daemons should not. */
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import {
  DaemonConnection,
  Lost,
  Unread,
  type Address,
} from '../../../lib/protocol/daemon-connection.js';
import type { Piece } from '../../../lib/protocol/frame-cutter.js';
import { until } from '../../support/midclt.js';

/** Where a socket may be. Not tap's directory: its name is too long for one. */
function placeFor(t: Test): Address {
  const directory = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'midclt-'));
  t.teardown(() => {
    fs.rmSync(directory, { recursive: true, force: true });
  });
  return { directory, socket: path.join(directory, 's') };
}

async function listenAt({ socket }: Address, server: net.Server): Promise<net.Server> {
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  fs.chmodSync(socket, 0o600);
  return server;
}

/** A connection to a server that does this with each that comes. */
async function connectTo(t: Test, serve: (socket: net.Socket) => void): Promise<DaemonConnection> {
  const place = placeFor(t);
  const server = await listenAt(place, net.createServer(serve));
  const connection = await DaemonConnection.open(place);
  t.teardown(() => {
    connection.close();
    server.close();
  });
  return connection;
}

const RESULT = '{"type":"result","result":1}\n';
const ignore = { onPiece: () => null, whole: 100 };

t.test('hands out the frames of one answer after the other', async (t) => {
  const connection = await connectTo(t, (socket) => {
    socket.on('data', (line) => {
      socket.write(`{"type": "progress", "percent": 1}\n${line.toString()}`);
    });
  });
  for (const type of ['result', 'error', 'result']) {
    const pieces: Piece[] = [];
    const onPiece = (piece: Piece) => {
      pieces.push(piece);
      return null;
    };
    const ending = await connection.ask(`{"type":"${type}"}\n`, { onPiece, whole: 100 });
    t.same(ending, { type, peerCloses: true });
    t.match(pieces, [{ type: 'progress' }, { type, last: true }]);
  }
  t.ok(connection.isOpen);
});

t.test('reads no more while a piece waits for room', async (t) => {
  const connection = await connectTo(t, (socket) => {
    socket.once('data', () => socket.write(`{"type":"result","result":"${'x'.repeat(1e6)}"}\n`));
  });
  let [pieces, waiting] = [0, 0];
  const onPiece = async () => {
    pieces++;
    t.equal(++waiting, 1);
    await new Promise((resolve) => setImmediate(resolve));
    waiting--;
  };
  await connection.ask('{}\n', { onPiece, whole: 100 });
  t.ok(pieces > 1);
});

t.test('tells a request that was not read from one of unknown outcome', async (t) => {
  const lost = await connectTo(t, (socket) => {
    socket.once('data', () => socket.end('{"type":"progress"'));
  });
  const ended = lost.ask('{}\n', ignore);
  await t.rejects(ended, { code: 'LOST', reason: 'it closed the connection' });
  t.ok((await ended.catch((error: unknown) => error)) instanceof Lost);
  t.notOk(lost.isOpen);
  const unread = await connectTo(t, (socket) => socket.pause().destroy());
  const refused = unread.ask(`${'x'.repeat(1e6)}\n`, ignore);
  t.ok((await refused.catch((error: unknown) => error)) instanceof Unread);
  await t.rejects(unread.ask('{}\n', ignore), { code: 'NO_DAEMON' }, 'nor is it asked again');
});

t.test(
  'F31: goes to the next daemon where one ends before it accepts the connection',
  async (t) => {
    const place = placeFor(t);
    const listen = () => listenAt(place, net.createServer());
    const first = await listen();
    const orphan = DaemonConnection.open(place);
    first.close(); // the kernel has connected them; nobody has accepted
    await t.rejects(orphan, { code: 'NO_DAEMON' });
    const second = await listen();
    const passedOn = DaemonConnection.open(place);
    second.close();
    const third = await listen();
    t.teardown(() => third.close());
    const connection = await passedOn;
    t.ok(connection.isOpen);
    connection.close();
  },
);

t.test('closes on what is no frame, what was not asked, and what a listener throws', async (t) => {
  const answering = (text: string) =>
    connectTo(t, (socket) => socket.once('data', () => socket.write(text)));
  const wrong = await answering('pong\n');
  await t.rejects(wrong.ask('{}\n', ignore), { code: 'PROTOCOL' });
  t.notOk(wrong.isOpen);
  const twice = await answering(RESULT);
  await twice.ask('{}\n', ignore);
  t.ok(twice.isOpen);
  const unasked = await connectTo(t, (socket) => socket.write(RESULT));
  await unasked.closed;
  const thrown = await answering(RESULT);
  const onPiece = () => {
    throw new Error('enough');
  };
  await t.rejects(thrown.ask('{}\n', { onPiece, whole: 100 }), { message: 'enough' });
  t.notOk(thrown.isOpen);
});

t.test('a daemon that shows no sign of life is given up', async (t) => {
  const connection = await connectTo(t, (socket) => socket.resume());
  const silence = {
    silence: 20,
    longest: 20,
    answer: 20,
    busy: 0,
    running: 0,
    unknownIsBusy: false,
  };
  const asked = connection.ask('{}\n', { ...ignore, silence, consequence: '; so be it' });
  await t.rejects(asked, { code: 'HUNG', message: /does not answer; so be it\. / });
  t.notOk(connection.isOpen);
});

/** Answers what it is asked first only after it has been asked for a sign of life, while the client's thread stands still. */
const LATE_DAEMON = `
const { workerData: { socket, state } } = require('node:worker_threads');
const asked = [];
require('node:net').createServer((client) => {
  asked.push(client);
  if (asked.length !== 2) return;
  Atomics.store(state, 0, 1);
  setTimeout(() => {
    asked[0].write('{"type":"result","result":1}\\n', () => {
      Atomics.store(state, 0, 2);
      Atomics.notify(state, 0);
    });
  }, 3800);
}).listen(socket, () => Atomics.store(state, 0, -1));
`;

t.test(
  'F4: a client that was stopped itself looks again before it gives the daemon up',
  async (t) => {
    const place = placeFor(t);
    const { socket } = place;
    const state = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(LATE_DAEMON, { eval: true, workerData: { socket, state } });
    t.teardown(() => worker.terminate());
    await until('the daemon to listen', () => Atomics.load(state, 0) === -1);
    fs.chmodSync(socket, 0o600);
    const connection = await DaemonConnection.open(place);
    const silence = {
      silence: 20,
      longest: 20,
      answer: 3000,
      busy: 0,
      running: 0,
      unknownIsBusy: false,
    };
    const asked = connection.ask('{}\n', { ...ignore, silence });
    await until('the daemon to be asked for a sign of life', () => Atomics.load(state, 0) === 1);
    await new Promise((resolve) => setImmediate(resolve)); // timers come next
    Atomics.wait(state, 0, 1); // as Ctrl-Z would: the answer comes, and the patience runs out
    t.match(await asked, { type: 'result' });
    connection.close();
  },
);
