'use strict';
// One daemon with one client and with ten thousand: what is full first. Beside a bare relay, and beside clients that have
// each a WebSocket of their own; then with a server that is slow, and with one that counts logins.
// BENCH_CLIENTS=N: so many clients, and nothing else.
const fs = require('node:fs');
const path = require('node:path');
const { clearInterval, setInterval } = require('node:timers');
const { BINARY, LAUNCHER, environment, start, startWorker } = require('./lib/children.js');
const { descriptors, forgetPeak, peak, proportional } = require('./lib/process-memory.js');
const { interleave, median, paired } = require('./lib/sampling.js');
const { startDaemon, startEchoServer, startRelay } = require('./lib/surroundings.js');

const MB = 1024 * 1024;
const ROOM = ['--max-connections', '12000'];
/** Seconds that a call of the slow method takes at the server. */
const SLOW = 0.05;
/** Calls of one WebSocket that the server runs at once. */
const SERVER_SLOTS = 10;

async function run({ home, report, quick }) {
  const { BENCH_CLIENTS: only } = process.env;
  const widths = only ? [Number(only)] : [1, 10, 100, 1000, 10_000];
  const echo = await startEchoServer(home);
  const generator = startWorker('load-generator', home);
  const prober = startWorker('load-generator', home);
  for (const width of quick ? [1, 20] : widths) {
    await tellClients({ home, report, quick, echo, generator, prober, width });
  }
  if (only) return;
  const box = startWorker('sandboxes', home);
  const socket = path.join(home, 'slow.sock');
  const [port] = await box.ask('start', { paths: [socket] });
  for (const width of quick ? [20] : [10, 100, 1000]) {
    await tellSlow({ home, report, quick, socket, generator, width });
  }
  await tellLogins({ home, report, quick, box, port });
}

/** So many clients that call without a pause, each over its connection. */
async function tellClients({ home, report, quick, echo, generator, prober, width }) {
  const at = path.join(home, `clients-${width}`);
  const daemon = await startDaemon(path.join(at, 'daemon'), echo.uri, { args: ROOM });
  const relay = await startRelay(path.join(at, 'relay'), echo.socket);
  const isCrowd = width >= 1000;
  const load = {
    width,
    met: true,
    ms: quick ? 50 : isCrowd ? 1000 + width / 2 : 500,
    warmUp: isCrowd ? 1000 : 100,
  };
  const ask = (verb, socket, more) => generator.ask(verb, { path: socket, ...load, ...more });
  const through = async () => {
    forgetPeak(daemon.pid);
    const most = { fds: 0, pss: 0 };
    const look = setInterval(
      () => {
        most.fds = Math.max(most.fds, descriptors(daemon.pid));
        most.pss = Math.max(most.pss, proportional(daemon.pid));
      },
      quick ? 20 : 250,
    );
    const probing = prober.ask('probe', { path: daemon.socket, ms: load.warmUp + load.ms });
    const result = await ask('kept', daemon.socket, { pid: daemon.pid });
    clearInterval(look);
    const { worst } = await probing;
    return { ...result, ...most, worst, rss: peak(daemon.pid) };
  };
  const samples = await interleave(quick ? 1 : isCrowd ? 3 : 7, {
    daemon: through,
    relay: () => ask('kept', relay.socket),
    each: () => ask('wsEach', echo.socket),
  });
  const of = (variant, what) => samples[variant].map((sample) => sample[what]);
  const beside = (what, rival) => paired(of('daemon', what), of(rival, what));
  const clients = `${width.toLocaleString('en')} client${width === 1 ? '' : 's'}`;
  const row = (name, value, unit, more = {}) => {
    report.row({ name: `${clients}, ${name}`, value, unit, ...more });
  };
  const both = (name, what, value, unit, goal = {}) => {
    row(name, value, unit, { ratio: beside(what, 'relay'), to: 'a relay', ...goal });
    row(name, value, unit, { ratio: beside(what, 'each'), to: 'a WebSocket each' });
  };
  both('calls', 'rate', median(of('daemon', 'rate')), 'calls/s', { atLeast: 0.25 });
  for (const what of ['p50', 'p99']) both(what, what, median(of('daemon', what)) / 1000, 'ms');
  row("the daemon's CPU", median(of('daemon', 'cpu')), 'µs/call');
  row("another's longest wait for status", median(of('daemon', 'worst')), 'ms');
  row('resident memory, at most', Math.max(...of('daemon', 'rss')) / MB, 'MB');
  row('proportional memory, at most', Math.max(...of('daemon', 'pss')) / MB, 'MB');
  row('descriptors', Math.max(...of('daemon', 'fds')), '');
  await relay.end();
  await daemon.end();
}

/** Clients of a method that takes its time at the server: how many of its slots are busy. */
async function tellSlow({ home, report, quick, socket, generator, width }) {
  const uri = `ws+unix://${socket}`;
  const load = { width, call: `"method":"test.sleep","params":[${SLOW}]` };
  load.ms = quick ? 100 : Math.max(2000, width * 6);
  load.warmUp = quick ? 0 : load.ms / 4;
  const ask = (verb, at) => generator.ask(verb, { path: at, ...load });
  const daemons = {};
  for (const slots of [8, 18]) {
    const args = [...ROOM, '--concurrency', String(slots)];
    daemons[slots] = await startDaemon(path.join(home, `slow-${width}-${slots}`), uri, { args });
  }
  const samples = await interleave(quick ? 1 : 3, {
    8: () => ask('kept', daemons[8].socket),
    18: () => ask('kept', daemons[18].socket),
    each: () => ask('wsEach', socket),
  });
  const rates = (variant) => samples[variant].map(({ rate }) => rate);
  const row = (name, variant, more) => {
    const value = median(rates(variant));
    report.row({
      name: `${width} clients of a slow method, ${name}`,
      value,
      unit: 'calls/s',
      ...more,
    });
    return value;
  };
  const busy = (value) => report.note(`${(value * SLOW).toFixed(1)} of the server's slots busy`);
  const all = SERVER_SLOTS / SLOW;
  const beside = (variant) => ({ ratio: median(rates(variant)) / all, to: 'ten slots' });
  busy(row('the daemon', '8', { ...beside('8'), atLeast: 0.6 }));
  busy(row('--concurrency 18', '18', { ...beside('18'), atLeast: 0.8 }));
  busy(row('a WebSocket each', 'each', beside('each')));
  const refused = await generator.ask('burst', { path: socket, ...load });
  report.row({
    name: `${width} calls at once over one WebSocket, refused`,
    value: refused,
    unit: '',
    ratio: refused / width,
    to: 'all',
  });
  for (const daemon of Object.values(daemons)) await daemon.end();
}

/** Calls that log in, each by itself, beside calls through a daemon: the server takes twenty logins a minute. */
async function tellLogins({ home, report, quick, box, port }) {
  const uri = `ws://127.0.0.1:${port}/api/current`;
  const secret = path.join(home, 'password');
  fs.writeFileSync(secret, 'admin-pw\n', { mode: 0o600 });
  const env = environment(home, { MIDCLT_AUTOSTART: '1' });
  const count = quick ? 3 : 30;
  const login = ['-u', uri, '-U', 'admin', '--password-file', secret];
  const all = async (args) => {
    const before = (await box.ask('counts'))[0].logins;
    const began = performance.now();
    let done = 0;
    for (let left = count; left > 0; left -= 5) {
      const some = Array.from({ length: Math.min(5, left) }, () =>
        start(LAUNCHER, [...login, ...args], { env, cwd: home, stdio: 'ignore' }),
      );
      for (const { code } of await Promise.all(some.map(({ closed }) => closed))) {
        if (code === 0) done += 1;
      }
    }
    const seconds = (performance.now() - began) / 1000;
    return { done, seconds, logins: (await box.ask('counts'))[0].logins - before };
  };
  const tell = (name, { done, seconds, logins }, more) => {
    report.row({ name: `${count} calls, ${name}: done`, value: done, unit: '', ...more });
    report.row({ name: `${count} calls, ${name}: time`, value: seconds, unit: 's' });
    report.row({ name: `${count} calls, ${name}: logins`, value: logins, unit: '' });
  };
  tell('by a daemon, started by the first', await all(['-d', 'call', 'system.version']), {
    atLeast: count,
  });
  tell('each with a login', await all(['call', 'system.version']));
  await start(process.execPath, [BINARY, 'daemon-stop', '--all'], { env, stdio: 'ignore' }).closed;
}

module.exports = { title: 'one daemon with 1 to 10,000 clients', run };
