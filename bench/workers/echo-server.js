'use strict';
// A middleware that answers at once: test.echo with its parameters, bench.large with that many
// bytes of JSON, core.get_methods with 10 MB about a thousand methods, everything else with "pong".
const http = require('node:http');
const { WebSocketServer } = require('ws');
const { answerParent } = require('../lib/answering.js');

const HEAD = '{"jsonrpc": "2.0", "result": ';
/** Bytes kept free behind a payload, for the id. */
const TAIL = 256;

const payloads = new Map();

answerParent({
  listen: (path) =>
    new Promise((resolve, reject) => {
      const server = http.createServer();
      const sockets = new WebSocketServer({ server, perMessageDeflate: false });
      sockets.on('connection', serve);
      server.on('error', reject);
      server.listen({ path, backlog: 511 }, resolve);
    }),
});

function serve(socket, request) {
  // Answers to what came in one piece leave in one piece: the server is not what is measured.
  let corked = false;
  const stream = request.socket;
  const uncork = () => {
    corked = false;
    stream.uncork();
  };
  socket.on('error', () => undefined);
  socket.on('message', (data) => {
    const { id, method, params } = JSON.parse(data);
    if (method === 'bench.large') {
      socket.send(large(params[0], id), { binary: false });
      return;
    }
    if (!corked) {
      corked = true;
      stream.cork();
      process.nextTick(uncork);
    }
    socket.send(`${HEAD}${resultOf(method, params)}, "id": ${JSON.stringify(id)}}`);
  });
}

function resultOf(method, params) {
  if (method === 'test.echo') return JSON.stringify(params);
  if (method === 'auth.me') return '{"pw_name": "root"}';
  return method === 'core.get_methods' && params.length === 0 ? (methods ??= thousand()) : '"pong"';
}

let methods;

/** As the largest servers tell of their methods: 10 kB each. */
function thousand() {
  const property = {
    type: 'string',
    maxLength: 50,
    description: 'What this is about. '.repeat(10),
  };
  const properties = Object.fromEntries(Array.from({ length: 35 }, (_, i) => [`p${i}`, property]));
  const accepts = [{ _name_: 'data', _required_: true, type: 'object', properties }];
  const entry = JSON.stringify({ description: 'Does it.\n\nAnd more.', job: false, accepts });
  return `{${Array.from({ length: 1000 }, (_, i) => `"service${i % 50}.method${i}": ${entry}`).join(', ')}}`;
}

/** A message with a result of about this many bytes; valid until the next one of that size. */
function large(bytes, id) {
  let payload = payloads.get(bytes);
  if (!payload) {
    payload = disks(bytes);
    payloads.set(bytes, payload);
  }
  const { buffer, length } = payload;
  return buffer.subarray(0, length + buffer.write(`, "id": ${JSON.stringify(id)}}`, length));
}

function disks(bytes) {
  const buffer = Buffer.allocUnsafe(bytes + TAIL + 1024);
  let length = buffer.write(`${HEAD}[`);
  for (let n = 0; length < bytes; n += 1) {
    const text = JSON.stringify(disk(n)).replaceAll(',"', ', "').replaceAll('":', '": ');
    length += buffer.write(`${n === 0 ? '' : ', '}${text}`, length);
  }
  length += buffer.write(']', length);
  return { buffer, length };
}

function disk(n) {
  return {
    identifier: `{serial_lunid}WD-${n}_50014ee2${n}`,
    name: `sd${n}`,
    devname: `/dev/sd${n}`,
    serial: `WD-WCC4N${n}`,
    lunid: `50014ee2${n}`,
    size: 4000787030016 + n,
    description: 'Bay "7", ünten',
    model: 'WDC_WD40EFRX-68N32N0',
    hddstandby: 'ALWAYS ON',
    supports_smart: true,
    rotationrate: 5400,
    passwd: null,
    enclosure: { number: n % 4, slot: n % 12, drive_bay_number: n % 12 },
    temperatures: [31, 32.5, 30.25],
    pool: n % 3 === 0 ? null : 'tank',
  };
}
