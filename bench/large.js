'use strict';
// Large results: through a daemon to a raw client, beside ws receiving them alone; printed by the
// command line; and what another client's pings have to wait meanwhile.
const fs = require('node:fs');
const path = require('node:path');
const { BINARY, environment, output, startWorker } = require('./lib/children.js');
const { forgetPeak, peak, resident, settled } = require('./lib/process-memory.js');
const { interleave, median, paired } = require('./lib/sampling.js');
const { startDaemon, startEchoServer } = require('./lib/surroundings.js');

const MB = 1024 * 1024;
const PRELOAD = path.join(__dirname, 'workers/peak-at-exit.js');

async function run({ home, report, quick }) {
  const rest = quick ? resident : settled;
  const echo = await startEchoServer(home);
  const rounds = quick ? 1 : 7;
  const [small, middle, big] = quick ? [1, 2, 4] : [1, 50, 200];
  for (const size of [small, middle, big]) {
    const samples = await interleave(rounds, {
      ws: () => alone(home, echo, size * MB, rest),
      daemon: () => through(home, echo, size * MB, rest),
    });
    tellHop(report, size, size === middle, samples);
  }
  await tellCommandLine({ home, report, echo, rounds, middle, big });
  await tellPings({ home, report, echo, rounds, size: middle });
}

/** ws in a new process: milliseconds, and bytes over what it has when idle. */
async function alone(home, echo, bytes, rest) {
  const receiver = startWorker('receiver', home);
  await receiver.ask('openWebSocket', echo.socket);
  const idle = await rest(receiver.pid);
  forgetPeak(receiver.pid);
  const took = await receiver.ask('overWebSocket', bytes);
  const memory = peak(receiver.pid) - idle;
  await receiver.end();
  return { took, memory };
}

/** A new daemon and a client that keeps nothing: the same of the daemon. */
async function through(home, echo, bytes, rest) {
  const daemon = await startDaemon(path.join(home, 'daemon'), echo.uri);
  const receiver = startWorker('receiver', home);
  await receiver.ask('openDaemon', daemon.socket);
  const idle = await rest(daemon.pid);
  forgetPeak(daemon.pid);
  const took = await receiver.ask('throughDaemon', bytes);
  const memory = peak(daemon.pid) - idle;
  await receiver.end();
  await daemon.end();
  return { took, memory };
}

function tellHop(report, size, hasGoal, { ws, daemon }) {
  for (const [what, unit, scale, atMost] of [
    ['took', 'ms', 1, 1.5],
    ['memory', 'MB', MB, 1.2],
  ]) {
    const of = (samples) => samples.map((sample) => sample[what] / scale);
    const label = `${size} MB, ${what === 'took' ? 'time' : 'peak over idle'}`;
    report.row({ name: `${label}, ws alone`, value: median(of(ws)), unit });
    const goal = hasGoal ? { atMost } : {};
    const ratio = paired(of(daemon), of(ws));
    const row = { name: `${label}, daemon`, value: median(of(daemon)), unit, ratio, to: 'ws' };
    report.row({ ...row, ...goal });
  }
}

/** `midclt -d call … | wc -c` of a small, a middle-sized and a big result. */
async function tellCommandLine({ home, report, echo, rounds, middle, big }) {
  const daemon = await startDaemon(path.join(home, 'daemon'), echo.uri);
  const file = path.join(home, 'peak');
  const env = environment(daemon.home, { BENCH_PEAK: file });
  const call = async (bytes) => {
    const midclt = [process.execPath, '--require', PRELOAD, BINARY, '-u', echo.uri, '-d', 'call'];
    const args = ['-c', '"$@" | wc -c', 'sh', ...midclt, 'bench.large', String(bytes)];
    const { text, took } = await output('/bin/sh', args, { env });
    if (Number(text) < bytes) throw new Error(`midclt printed ${text.trim()} of ${bytes} bytes`);
    return { took, memory: Number(fs.readFileSync(file, 'utf8')) };
  };
  const samples = await interleave(rounds, {
    small: () => call(1),
    middle: () => call(middle * MB),
    big: () => call(big * MB),
  });
  const of = (name, what) => samples[name].map((sample) => sample[what]);
  for (const [name, size] of [
    ['middle', middle],
    ['big', big],
  ]) {
    const extra = paired(of(name, 'memory'), of('small', 'memory'), (a, b) => (a - b) / MB);
    const label = `${size} MB, the command line`;
    report.row({ name: `${label}, time`, value: median(of(name, 'took')), unit: 'ms' });
    report.row({ name: `${label}, peak over a small call`, value: extra, unit: 'MB', atMost: 100 });
  }
  const net = (name) => paired(of(name, 'took'), of('small', 'took'), (a, b) => a - b);
  report.row({
    name: `${big} MB, the command line, time over a small call`,
    value: net('big'),
    unit: 'ms',
    ratio: net('big') / net('middle'),
    to: `${middle} MB`,
    atMost: (big / middle) * 1.25, // linear, and some noise
  });
  await daemon.end();
}

/** Another client's worst ping while one client receives. */
async function tellPings({ home, report, echo, rounds, size }) {
  const daemon = await startDaemon(path.join(home, 'daemon'), echo.uri);
  const receiver = startWorker('receiver', home);
  const other = startWorker('receiver', home);
  await receiver.ask('openDaemon', daemon.socket);
  await other.ask('openDaemon', daemon.socket);
  const worst = async (bytes) => {
    await other.ask('startPinging');
    await receiver.ask('throughDaemon', bytes);
    return other.ask('worstPing');
  };
  const { large, small } = await interleave(rounds, {
    large: () => worst(size * MB),
    small: () => worst(1),
  });
  report.row({
    name: "another client's worst ping, a small result",
    value: median(small),
    unit: 'ms',
  });
  report.row({
    name: `another client's worst ping, ${size} MB`,
    value: median(large),
    unit: 'ms',
    atMost: 120,
  });
  await Promise.all([receiver.end(), other.end(), daemon.end()]);
}

module.exports = { title: 'large results', run };
