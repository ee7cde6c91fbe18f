'use strict';
// What it takes to look at the methods of a server that tells 10 MB of them: asked anew, and from what is kept.
const { BINARY, environment, timed } = require('./lib/children.js');
const { interleave, median, paired } = require('./lib/sampling.js');
const { startDaemon, startEchoServer } = require('./lib/surroundings.js');

const DESCRIBE = ['describe', 'service7.method507'];

async function run({ home, report, quick }) {
  const { uri } = await startEchoServer(home);
  await startDaemon(home, uri);
  const options = { env: environment(home), cwd: home };
  const midclt =
    (...args) =>
    () =>
      timed(process.execPath, [BINARY, '-u', uri, ...args], options);
  const complete = (system) => () =>
    timed(process.execPath, [BINARY, 'complete', 'methods', '-u', system], options);
  const variants = {
    'node -e 0': () => timed(process.execPath, ['-e', '0'], options),
    'midclt -d describe --refresh': midclt('-d', ...DESCRIBE, '--refresh'),
    'midclt -d describe': midclt('-d', ...DESCRIBE),
    'midclt -d methods': midclt('-d', 'methods'),
    // What a shell waits for at Tab.
    'midclt complete methods': complete(uri),
    'midclt complete methods, none kept': complete('wss://nas.example/api/current'),
    'midclt -d methods service7': midclt('-d', 'methods', 'service7'),
  };
  const samples = await interleave(quick ? 2 : 20, variants);
  // What a daemon has asked for is not believed without one: the first of these asks.
  const alone = await interleave(quick ? 2 : 20, {
    'midclt describe, direct': midclt(...DESCRIBE),
    'node -e 0': variants['node -e 0'],
  });
  const row = (name, { [name]: own, 'node -e 0': node }) => {
    const goal = name.includes('--refresh') ? {} : { atMost: 3.5 };
    report.row({
      name,
      value: median(own),
      unit: 'ms',
      ratio: paired(own, node),
      to: 'node -e 0',
      ...goal,
    });
  };
  report.row({ name: 'node -e 0', value: median(samples['node -e 0']), unit: 'ms' });
  for (const name of Object.keys(variants).slice(1)) row(name, samples);
  row('midclt describe, direct', alone);
}

module.exports = { title: 'methods and describe, 10 MB about 1000 methods', run };
