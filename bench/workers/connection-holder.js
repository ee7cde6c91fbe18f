'use strict';
// Holds connections to a daemon, on which nothing was sent, or one request that was answered.
const net = require('node:net');
const { answerParent } = require('../lib/answering.js');

/** Connections that are opened at a time, so that the backlog has room. */
const OPENING = 50;
const PING = '{"command":"ping","keep":true}\n';

let sockets = [];

answerParent({
  /** Opens so many more. */
  async open({ path, count, use }) {
    for (let left = count; left > 0; left -= OPENING) {
      const some = Array.from({ length: Math.min(OPENING, left) }, () => connect(path));
      const opened = await Promise.all(some);
      if (use) await Promise.all(opened.map(ping));
      sockets.push(...opened);
    }
    return held();
  },
  held,
  close() {
    for (const socket of sockets) socket.destroy();
    sockets = [];
  },
});

/** How many of them the daemon has not closed. */
function held() {
  return sockets.filter((socket) => !socket.destroyed).length;
}

function ping(socket) {
  return new Promise((resolve, reject) => {
    socket.once('data', resolve);
    socket.once('close', () => reject(new Error('the daemon closed a connection')));
    socket.write(PING);
  });
}

function connect(path) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      socket.on('end', () => socket.destroy());
      socket.resume();
      resolve(socket);
    });
    socket.once('error', (error) => {
      // A full backlog: try again.
      if (error.code === 'EAGAIN') setTimeout(() => connect(path).then(resolve, reject), 1);
      else reject(error);
    });
  });
}
