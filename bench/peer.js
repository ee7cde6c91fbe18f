'use strict';
// Beside another program of the same command line, the Python original (MIDCLT_PEER): what one command costs, a large
// result, what a slow call does to others, and what an idle daemon takes.
const path = require('node:path');
const { BINARY, LAUNCHER, environment, output, peakOf, timed } = require('./lib/children.js');
const { peak, settled } = require('./lib/process-memory.js');
const { interleave, median, paired } = require('./lib/sampling.js');
const {
  peerCommand,
  startDaemon,
  startEchoServer,
  startPeerDaemon,
  startSandbox,
} = require('./lib/surroundings.js');

const MB = 1024 * 1024;
const LARGE = 10 * MB;
/** Seconds that the slow call takes, and milliseconds until it is surely at the middleware. */
const SLOW = 2;
const UNDER_WAY = 500;

async function run({ home, report, quick }) {
  const peer = peerCommand();
  if (!peer) {
    report.note('MIDCLT_PEER names no other program');
    return;
  }
  const ours = [process.execPath, BINARY];
  const echo = await startEchoServer(home);
  const box = await startSandbox(home);
  const bench = { home, report, peer, ours, rounds: quick ? 1 : 21 };
  await tellCommands({ ...bench, echo, box });
  await tellLarge({ ...bench, echo, rounds: quick ? 1 : 2, bytes: quick ? MB : LARGE });
  await tellOthers({ ...bench, box, rounds: quick ? 1 : 5 });
}

/** One command each, start to end. */
async function tellCommands({ home, report, peer, ours, rounds, echo, box }) {
  const programs = { midclt: ours, peer, launcher: [LAUNCHER] };
  const homes = {};
  for (const name of ['midclt', 'peer']) homes[name] = path.join(home, `${name}-${report.bench}`);
  const daemons = [
    await startDaemon(homes.midclt, echo.uri),
    await startPeerDaemon(homes.peer, echo.uri),
  ];
  const key = ['--insecure', '-u', box.wss, '-U', 'admin', '-K', box.key];
  const ticker = ['subscribe', '-n', '1', 'test.ticker:{"interval": 0.001}'];
  const commands = {
    '-d call': ['-u', echo.uri, '-d', 'call', 'core.ping'],
    'call, local socket': ['-u', echo.uri, 'call', 'core.ping'],
    'call, API key (SCRAM) over wss': [...key, 'call', 'core.ping'],
    'subscribe, to the first event': ['-u', box.unix, ...ticker],
  };
  for (const [name, args] of Object.entries(commands)) {
    const sample = (program) => () => {
      const [file, ...before] = programs[program];
      const env = environment(homes[program] ?? homes.midclt);
      return timed(file, [...before, ...args], { env, cwd: home });
    };
    const variants = { midclt: sample('midclt'), peer: sample('peer') };
    if (args.includes('-d')) variants.launcher = sample('launcher');
    // The server takes ten such logins a minute from one address.
    const few = name.includes('SCRAM') ? Math.min(rounds, 4) : rounds;
    compare(report, name, await interleave(few, variants));
  }
  for (const [name, daemon] of [
    ['midclt', daemons[0]],
    ['peer', daemons[1]],
  ]) {
    const value = (await settled(daemon.pid)) / MB;
    report.row({ name: `${label(name)}, an idle daemon`, value, unit: 'MB' });
  }
  await Promise.all(daemons.map((daemon) => daemon.end()));
}

/** Prints a large result: the time, and the most memory of the command and of its daemon. */
async function tellLarge({ home, report, peer, ours, rounds, echo, bytes }) {
  const name = `a result of ${bytes / MB} MB`;
  const sample = (command, startIt, own) => async () => {
    const daemon = await startIt(own, echo.uri);
    const args = ['-u', echo.uri, '-t', '300', '-d', 'call', 'bench.large', String(bytes)];
    const result = await peakOf([...command, ...args], { env: environment(own), cwd: home });
    result.daemon = peak(daemon.pid) / MB;
    await daemon.end();
    return result;
  };
  const samples = await interleave(rounds, {
    midclt: sample(ours, startDaemon, path.join(home, 'large')),
    peer: sample(peer, startPeerDaemon, path.join(home, 'large-peer')),
  });
  for (const [what, title, unit] of [
    ['took', name, 'ms'],
    ['peak', `${name}, memory of the command`, 'MB'],
    ['daemon', `${name}, memory of the daemon`, 'MB'],
  ])
    compare(report, title, pick(samples, what), unit);
}

/** How long a ping takes while another client's call of two seconds is under way. */
async function tellOthers({ home, report, peer, ours, rounds, box }) {
  const samples = {};
  for (const [name, command, startIt] of [
    ['midclt', ours, startDaemon],
    ['peer', peer, startPeerDaemon],
  ]) {
    const own = path.join(home, `others-${name}`);
    const daemon = await startIt(own, box.unix);
    const options = { env: environment(own), cwd: home };
    const [file, ...before] = command;
    const through = [...before, '-u', box.unix, '-d'];
    samples[name] = [];
    for (let round = 0; round < rounds; round += 1) {
      const slow = output(file, [...through, 'call', 'test.sleep', String(SLOW)], options);
      await new Promise((resolve) => setTimeout(resolve, UNDER_WAY));
      samples[name].push((await output(file, [...through, 'call', 'core.ping'], options)).took);
      await slow;
    }
    await daemon.end();
  }
  compare(report, `a ping during another's call of ${SLOW} s`, samples);
}

const label = (name) =>
  name === 'peer' ? 'the peer' : name === 'launcher' ? 'launcher' : 'midclt';

function pick(samples, what) {
  return Object.fromEntries(
    Object.entries(samples).map(([name, list]) => [name, list.map((sample) => sample[what])]),
  );
}

function compare(report, title, samples, unit = 'ms') {
  for (const [name, values] of Object.entries(samples)) {
    const ratio = name === 'peer' ? {} : { ratio: paired(values, samples.peer), to: 'the peer' };
    report.row({ name: `${label(name)}, ${title}`, value: median(values), unit, ...ratio });
  }
}

module.exports = { title: 'beside another program of the same command line', run };
