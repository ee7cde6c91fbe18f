'use strict';
// The least that could stand in the daemon's place: a handler of `data`, one Map of who waits, and no checks. What
// a pipeline costs is worth comparing with this.
const net = require('node:net');
const { WebSocket } = require('ws');
const { answerParent } = require('../lib/answering.js');

/** Where the result begins in an answer of the echo server, and what stands behind it. */
const HEAD = '{"jsonrpc": "2.0", "result": '.length;
const TAIL = ', "id": ';

/** Who waits for the answer with an id, and whether its connection ends with it. */
const pending = new Map();
let lastId = 0;

answerParent({
  async listen({ path, upstream }) {
    const middleware = new WebSocket('ws://localhost/api/current', {
      perMessageDeflate: false,
      createConnection: () => net.connect(upstream),
    });
    await new Promise((resolve) => middleware.on('open', resolve));
    middleware.on('message', (data) => answer(data.toString()));
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      let rest = '';
      socket.setEncoding('utf8');
      socket.on('data', (chunk) => {
        rest += chunk;
        for (let end; (end = rest.indexOf('\n')) !== -1; rest = rest.slice(end + 1)) {
          forward(middleware, socket, rest.slice(0, end));
        }
      });
      socket.on('end', () => socket.end());
    });
    await new Promise((resolve) => server.listen({ path, backlog: 511 }, resolve));
  },
});

function forward(middleware, socket, line) {
  const { method, params, close } = JSON.parse(line);
  const id = ++lastId;
  pending.set(id, { socket, close });
  middleware.send(JSON.stringify({ jsonrpc: '2.0', method, params, id }));
}

function answer(text) {
  const at = text.lastIndexOf(TAIL);
  const id = Number(text.slice(at + TAIL.length, -1));
  const { socket, close } = pending.get(id);
  pending.delete(id);
  const line = `{"type":"result","result":${text.slice(HEAD, at)}}\n`;
  if (close) socket.end(line);
  else socket.write(line);
}
