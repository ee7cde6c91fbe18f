'use strict';
// Calls without a pause, over a WebSocket or the socket of a daemon, and counts the answers.
const net = require('node:net');
const { WebSocket } = require('ws');
const { answerParent } = require('../lib/answering.js');
const { processorTime } = require('../lib/processor-time.js');
const { quantile } = require('../lib/sampling.js');

/** What is called unless something else is asked for. */
const ECHO = '"method":"test.echo","params":["x"]';
/** Milliseconds of a round that do not count yet. */
const WARM_UP = 100;
/** Milliseconds between two looks at how long the daemon takes for its own status. */
const PROBE = 20;
/** Connections that are opened at a time, so that the backlog has room. */
const OPENING = 50;

/** What all rounds have in common: when it is over, and what came of it. */
class Round {
  constructor({ ms, warmUp = WARM_UP, call = ECHO, pid = null }) {
    this.request = `{"jsonrpc":"2.0",${call},"id":"bench-1"}`;
    this.line = `{"command":"call",${call},"keep":true}\n`;
    this.lastLine = `{"command":"call",${call},"close":true}\n`;
    this.from = performance.now() + warmUp;
    this.until = this.from + ms;
    this.last = this.from;
    this.latencies = [];
    /** All that were answered, also those that do not count. */
    this.calls = 0;
    this.pid = pid;
    this.cpu = { from: null, until: null };
  }

  /** Counts an answer to what was sent then; is there time for another? On a slow day for one at least. */
  answered(sent) {
    const now = performance.now();
    this.calls += 1;
    const isOver = now > this.until && this.latencies.length > 0;
    if (now >= this.from && this.pid !== null) {
      this.cpu.from ??= processorTime(this.pid);
      if (isOver) this.cpu.until ??= processorTime(this.pid);
    }
    if (now < this.from || isOver) return !isOver;
    this.latencies.push((now - sent) * 1000);
    this.last = now;
    return true;
  }

  /** Calls a second, and microseconds each: until they were answered, and of the processor time of the process `pid`. */
  result() {
    return {
      calls: this.calls,
      rate: this.latencies.length / ((this.last - this.from) / 1000),
      p50: quantile(this.latencies, 0.5),
      p99: quantile(this.latencies, 0.99),
      cpu: ((this.cpu.until - this.cpu.from) / this.latencies.length) * 1000,
    };
  }
}

answerParent({
  /** One WebSocket with `width` calls in flight. */
  async ws({ path, width, ...what }) {
    const socket = await openWebSocket(path);
    const round = new Round(what);
    const sent = []; // answers come in the order of their requests
    let oldest = 0;
    const send = () => {
      sent.push(performance.now());
      socket.send(round.request);
    };
    await new Promise((resolve, reject) => {
      socket.on('close', () => reject(new Error('the WebSocket was closed')));
      socket.on('message', () => {
        if (round.answered(sent[oldest++])) send();
        else if (oldest === sent.length) resolve();
      });
      for (let i = 0; i < width; i += 1) send();
    });
    socket.terminate();
    return round.result();
  },

  /** `width` WebSockets, each with one call in flight: a write for every call, as `kept` has. */
  async wsEach({ path, width, ...what }) {
    const sockets = [];
    while (sockets.length < width) {
      const some = Math.min(OPENING, width - sockets.length);
      sockets.push(...(await Promise.all(Array.from({ length: some }, () => openWebSocket(path)))));
    }
    const round = new Round(what);
    const keepOn = (socket) =>
      new Promise((resolve, reject) => {
        let sent = 0;
        const send = () => {
          sent = performance.now();
          socket.send(round.request);
        };
        socket.on('close', () => reject(new Error('a WebSocket was closed')));
        socket.on('message', () => {
          if (round.answered(sent)) send();
          else resolve();
        });
        send();
      });
    await Promise.all(sockets.map(keepOn));
    for (const socket of sockets) socket.terminate();
    return round.result();
  },

  /** `width` connections that stay, each with one call in flight. `met`: each has had an answer before. */
  async kept({ path, width, met = false, ...what }) {
    const sockets = [];
    while (sockets.length < width) {
      const some = Math.min(OPENING, width - sockets.length);
      sockets.push(...(await Promise.all(Array.from({ length: some }, () => connect(path)))));
    }
    if (met) {
      const first = new Round({ ...what, ms: 0, warmUp: 0 });
      await Promise.all(sockets.map((socket) => keepCalling(socket, first)));
      for (const socket of sockets) socket.removeAllListeners();
    }
    const round = new Round(what);
    await Promise.all(sockets.map((socket) => keepCalling(socket, round)));
    for (const socket of sockets) socket.destroy();
    return round.result();
  },

  /** A new connection for each call, `width` of them at a time. */
  async fresh({ path, width, ...what }) {
    const round = new Round(what);
    const lane = async () => {
      for (let more = true; more;) {
        const sent = performance.now();
        const socket = await connect(path);
        socket.write(round.lastLine);
        await new Promise((resolve, reject) => {
          socket.on('data', check(reject));
          socket.on('end', resolve);
          socket.on('error', reject);
        });
        socket.destroy();
        more = round.answered(sent);
      }
    };
    await Promise.all(Array.from({ length: width }, lane));
    return round.result();
  },

  /** `width` calls over one WebSocket at the same moment, once: how many the server refuses. */
  async burst({ path, width, ...what }) {
    const socket = await openWebSocket(path);
    const round = new Round(what);
    let refused = 0;
    await new Promise((resolve, reject) => {
      let left = width;
      socket.on('close', () => reject(new Error('the WebSocket was closed')));
      socket.on('message', (data) => {
        if (data.includes('"error"')) refused += 1;
        left -= 1;
        if (left === 0) resolve();
      });
      for (let i = 0; i < width; i += 1) socket.send(round.request);
    });
    socket.terminate();
    return refused;
  },

  /** Asks a daemon for its own status again and again: milliseconds it took, in the middle and at worst. */
  async probe({ path, ms }) {
    const socket = await connect(path);
    const took = [];
    const until = performance.now() + ms;
    for (let sent; (sent = performance.now()) < until;) {
      socket.write('{"command":"status","keep":true}\n');
      await new Promise((resolve) => socket.once('data', resolve));
      took.push(performance.now() - sent);
      await new Promise((resolve) => setTimeout(resolve, PROBE));
    }
    socket.destroy();
    return { median: quantile(took, 0.5), worst: Math.max(...took) };
  },
});

async function openWebSocket(path) {
  const socket = new WebSocket('ws://localhost/api/current', {
    perMessageDeflate: false,
    createConnection: () => net.connect(path),
  });
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
  return socket;
}

function keepCalling(socket, round) {
  return new Promise((resolve, reject) => {
    let sent = performance.now();
    const verify = check(reject);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the daemon closed a connection')));
    socket.on('data', (chunk) => {
      verify(chunk);
      if (chunk[chunk.length - 1] !== 10) return;
      if (!round.answered(sent)) {
        resolve();
        return;
      }
      sent = performance.now();
      socket.write(round.line);
    });
    socket.write(round.line);
  });
}

function check(reject) {
  return (chunk) => {
    if (chunk.includes('"error"')) reject(new Error(chunk.toString()));
  };
}

function connect(path) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', (error) => {
      // A full backlog: try again.
      if (error.code === 'EAGAIN') setTimeout(() => connect(path).then(resolve, reject), 1);
      else reject(error);
    });
  });
}
