'use strict';
// Receives results of any size over a WebSocket or from a daemon, and drops them.
const net = require('node:net');
const { WebSocket } = require('ws');
const { answerParent } = require('../lib/answering.js');

const MAX_MESSAGE = 1024 * 1024 * 1024;
/** Milliseconds between an answer and the next ping. */
const PAUSE = 1;

let socket = null;
let probing = false;
let probed = null;

answerParent({
  /** Connects, and has one small answer. */
  async openWebSocket(path) {
    socket = new WebSocket('ws://localhost/api/current', {
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE,
      createConnection: () => net.connect(path),
    });
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    await overWebSocket('core.ping', []);
  },
  async openDaemon(path) {
    socket = net.connect(path);
    await new Promise((resolve, reject) => socket.on('connect', resolve).on('error', reject));
    await throughDaemon('{"command":"ping","keep":true}');
  },
  /** Milliseconds from the request to the last byte of the result. */
  overWebSocket: (bytes) => overWebSocket('bench.large', [bytes]),
  throughDaemon: (bytes) =>
    throughDaemon(`{"command":"call","method":"bench.large","params":[${bytes}],"keep":true}`),
  /** Pings through the daemon without a pause until `worstPing`. */
  startPinging() {
    probing = true;
    probed = (async () => {
      let worst = 0;
      while (probing) {
        worst = Math.max(worst, await throughDaemon('{"command":"ping","keep":true}'));
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
      return worst;
    })();
  },
  worstPing() {
    probing = false;
    return probed;
  },
});

function overWebSocket(method, params) {
  const started = performance.now();
  return new Promise((resolve) => {
    socket.once('message', () => resolve(performance.now() - started));
    socket.send(JSON.stringify({ jsonrpc: '2.0', id: 'bench-1', method, params }));
  });
}

function throughDaemon(request) {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    let isFirst = true;
    const take = (chunk) => {
      if (isFirst && chunk.includes('"error"')) reject(new Error(chunk.toString()));
      isFirst = false;
      if (chunk[chunk.length - 1] !== 10) return; // newlines within a result are escaped
      socket.off('data', take);
      resolve(performance.now() - started);
    };
    socket.on('data', take);
    socket.write(`${request}\n`);
  });
}
