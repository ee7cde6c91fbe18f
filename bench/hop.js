'use strict';
// What the daemon adds to a call: a load generator, a daemon and an echo server, a process each,
// beside the same generator talking to the same server over one WebSocket, and through a bare relay.
const path = require('node:path');
const { startWorker } = require('./lib/children.js');
const { processorTime } = require('./lib/processor-time.js');
const { interleave, median, paired } = require('./lib/sampling.js');
const {
  peerCommand,
  startDaemon,
  startEchoServer,
  startPeerDaemon,
  startRelay,
} = require('./lib/surroundings.js');

const WIDTHS = [1, 10, 100];
/** The widest is where throughput is compared. */
const WIDEST = 100;

async function run({ home, report, quick, profile }) {
  const echo = await startEchoServer(home);
  const daemon = await startDaemon(path.join(home, 'daemon'), echo.uri, { profile });
  const relay = await startRelay(path.join(home, 'relay'), echo.socket);
  const peer = peerCommand() ? await startPeerDaemon(path.join(home, 'peer'), echo.uri) : null;
  const generator = startWorker('load-generator', home);

  const ms = quick ? 50 : 500;
  for (const width of WIDTHS) {
    const round = (verb, socket) => () => generator.ask(verb, { path: socket, width, ms });
    const costing = (pid, sample) => async () => {
      const before = processorTime(pid);
      const result = await sample();
      return { ...result, cpu: ((processorTime(pid) - before) / result.calls) * 1000 };
    };
    const variants = {
      ws: costing(generator.pid, round('ws', echo.socket)),
      kept: costing(daemon.pid, round('kept', daemon.socket)),
      fresh: costing(daemon.pid, round('fresh', daemon.socket)),
      relayKept: costing(relay.pid, round('kept', relay.socket)),
      relayFresh: costing(relay.pid, round('fresh', relay.socket)),
    };
    if (width === WIDEST) variants.wsEach = costing(generator.pid, round('wsEach', echo.socket));
    if (peer) variants.peer = costing(peer.pid, round('fresh', peer.socket));
    tell(report, width, await interleave(quick ? 1 : 15, variants));
  }
  await daemon.end(); // writes the profile
}

function tell(report, width, samples) {
  const rates = (name) => samples[name].map(({ rate }) => rate);
  const p50s = (name) => samples[name].map(({ p50 }) => p50);
  const row = (name, variant, goal = {}, rival = 'ws', to = 'ws') => {
    const ratio = variant === rival ? {} : { ratio: paired(rates(variant), rates(rival)), to };
    const value = median(rates(variant));
    report.row({ name: `${width} in flight, ${name}`, value, unit: 'calls/s', ...ratio, ...goal });
  };
  const isWidest = width === WIDEST;
  row('ws alone', 'ws');
  if (samples.wsEach) row('ws alone, a WebSocket each', 'wsEach');
  row('kept connections', 'kept', isWidest ? { atLeast: 0.45 } : {});
  row('kept connections', 'kept', {}, 'relayKept', 'the relay');
  if (samples.wsEach) row('kept connections', 'kept', {}, 'wsEach', 'a WebSocket each');
  if (width === 1) {
    const added = paired(p50s('kept'), p50s('ws'), (through, alone) => through - alone);
    report.row({ name: '1 in flight, p50 of ws alone', value: median(p50s('ws')), unit: 'µs' });
    report.row({ name: '1 in flight, p50 added', value: added, unit: 'µs', atMost: 60 });
    const through = { value: median(p50s('kept')), unit: 'µs' };
    const ratio = paired(p50s('kept'), p50s('relayKept'));
    const beside = { ratio, to: 'the relay', atMost: 1.3 };
    report.row({ name: '1 in flight, p50 through the daemon', ...through, ...beside });
  }
  row('a connection a call', 'fresh');
  // Processor time stays comparable when other work takes the processors away.
  const costs = (variant) => samples[variant].map((sample) => sample.cpu);
  const cpu = (name, variant, rival, atMost) => {
    const value = median(costs(variant));
    const ratio = rival ? { ratio: paired(costs(variant), costs(rival)), to: 'the relay' } : {};
    const goal = isWidest && rival ? { atMost } : {};
    report.row({ name: `${width} in flight, ${name}`, value, unit: 'µs/call', ...ratio, ...goal });
  };
  cpu('CPU of the generator with ws alone', 'ws');
  cpu("the relay's CPU, kept", 'relayKept');
  cpu("the daemon's CPU, kept", 'kept', 'relayKept', 1.5);
  cpu("the relay's CPU, a connection a call", 'relayFresh');
  cpu("the daemon's CPU, a connection a call", 'fresh', 'relayFresh', 2);
  if (!samples.peer) return;
  row('the peer, a connection a call', 'peer');
  row('kept connections', 'kept', isWidest ? { atLeast: 20 } : {}, 'peer', 'the peer');
  row('a connection a call', 'fresh', {}, 'peer', 'the peer');
  cpu("the peer's CPU, a connection a call", 'peer');
}

module.exports = { title: 'what the daemon adds to a call', run };
