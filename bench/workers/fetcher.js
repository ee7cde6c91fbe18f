'use strict';
// node fetcher.js SOCKET BYTES: fetches a file of a job with ws and node:http, and keeps nothing: the least there is to do.
const http = require('node:http');
const { WebSocket } = require('ws');

const [, , socketPath, bytes] = process.argv;
const socket = new WebSocket(`ws+unix://${socketPath}:/api/current`, { perMessageDeflate: false });
socket.on('open', () => {
  const params = ['test.download', [Number(bytes)], 'f'];
  socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'core.download', params }));
});
socket.on('message', (data) => {
  const { id, result } = JSON.parse(data.toString());
  if (id !== 1) return;
  http.get({ socketPath, path: result[1], agent: false }, (response) => {
    let left = Number(bytes);
    response.on('data', (piece) => (left -= piece.length));
    response.on('end', () => process.exit(left === 0 ? 0 : 1));
  });
});
