'use strict';
// Preloaded into a process in which a bug is to happen: of the kind that the file CRASH names, once it is there.
const fs = require('node:fs');
const net = require('node:net');
const { EventEmitter } = require('node:events');
const { Readable } = require('node:stream');
const { clearInterval, setImmediate, setInterval } = require('node:timers');

const file = process.env.CRASH;
const isDaemon = process.argv.includes('daemon');
const secret = 'hunter2';

/** Error texts quote values, and look like anything. */
const kinds = {
  timer: () => null.foo,
  rejection() {
    void Promise.reject(
      new Error(`${secret} was refused\n    at ${secret} (/${secret}/file.js:1:1)`),
    );
  },
  stream() {
    new Readable({
      read() {
        JSON.parse(`{"password": ${secret}}`);
      },
    }).resume();
  },
  event: () => new EventEmitter().emit('error', new TypeError(`${secret} is not a function`)),
  value() {
    throw { secret };
  },
  again() {
    setInterval(() => {
      throw new Error('again');
    }, 1);
  },
  memory() {
    const all = [];
    for (;;) all.push(new Array(100_000).fill(all.length));
  },
  fault: () => process.kill(process.pid, 'SIGSEGV'),
};

const nap = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);

function kind() {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

if (isDaemon) {
  const timer = setInterval(() => {
    // As one that gets no processor: it is not stopped.
    while (kind() === 'starved') {
      fs.writeFileSync(`${file}.starved`, '');
      nap();
    }
    const bug = kinds[kind()];
    if (!bug) return;
    clearInterval(timer);
    bug();
  }, 10).unref();

  // As soon as somebody connects.
  const { emit } = net.Server.prototype;
  net.Server.prototype.emit = function (name, ...rest) {
    if (name === 'connection' && kind() === 'connection') throw new RangeError(`${secret} is out`);
    return emit.call(this, name, ...rest);
  };

  // As the first socket is bound, which is a lock, or the daemon's own.
  const { umask } = process;
  let binds = 0;
  process.umask = (...args) => {
    const [where, how] = kind().split(' ');
    binds += 0.5; // it is set, and set back
    if (where === (binds <= 1 ? 'locking' : 'binding')) {
      while (kind() === `${where} held`) nap();
      if (how === 'at-once') throw new TypeError(`${secret} is not iterable`);
      process.nextTick(() => null.foo);
    }
    return umask.apply(process, args);
  };

  // Just after calls are accepted.
  const { linkSync } = fs;
  fs.linkSync = (from, to) => {
    linkSync(from, to);
    if (kind() === 'ready' && to.endsWith('.sock')) setImmediate(() => null.foo);
  };
} else if (kind() === 'client') {
  setImmediate(() => JSON.parse(secret));
} else if (kind() === 'client-command') {
  // What the command line itself catches.
  const { connect } = net;
  net.connect = (...args) => (args.length > 0 ? null.foo : connect(...args));
}
