'use strict';
// A hundred calls from a shell's loop: wall time, and processor time as the shell itself counts it.
const { BINARY, environment, isInstalled, output } = require('./lib/children.js');
const { interleave, median, paired } = require('./lib/sampling.js');
const { hasOption, startDaemon, startEchoServer } = require('./lib/surroundings.js');

const LOOP = 'i=0; while [ $i -lt $N ]; do i=$((i+1)); COMMAND >/dev/null || exit 1; done; times';
const LINE = `printf '{"command":"call","method":"core.ping","close":true}\\n'`;

async function run({ home, report, quick }) {
  const { uri } = await startEchoServer(home);
  const { socket } = await startDaemon(home, uri);
  const size = quick ? 2 : 40;
  const variables = { N: String(size), SOCK: socket, NODE: process.execPath, BINARY, URI: uri };
  const env = environment(home, variables);
  const loop =
    (command, before = '') =>
    async () => {
      const script = `${before}\n${LOOP.replace('COMMAND', () => command)}`;
      const { text, took } = await output('/bin/sh', ['-c', script], { env, cwd: home });
      return { wall: took / size, cpu: processorTime(text) / size };
    };

  const variants = {
    'node -e 0': loop('"$NODE" -e 0'),
    'midclt -d call': loop('"$NODE" "$BINARY" -u "$URI" -d call core.ping'),
  };
  if (isInstalled('nc')) variants['printf | nc -U'] = loop(`${LINE} | nc -U "$SOCK"`);
  if (isInstalled('nc') && (await hasOption(home, [], 'shell-init'))) {
    // A shell evaluates it once; the calls are what is measured.
    const { text } = await output(process.execPath, [BINARY, 'shell-init', 'sh'], { env });
    variants['shell-init function'] = loop('midclt -u "$URI" -d call core.ping', text);
  }
  // Five blocks of forty each.
  const samples = await interleave(quick ? 1 : 5, variants);
  const goals = {
    'midclt -d call': { to: 'node -e 0', atMost: 1.3 },
    'printf | nc -U': { to: 'node -e 0' },
    'shell-init function': { to: 'printf | nc -U', atMost: 3 },
  };
  for (const kind of ['wall', 'cpu']) {
    const of = (name) => samples[name].map((sample) => sample[kind]);
    for (const name of Object.keys(variants)) {
      const goal = goals[name] ?? {};
      const ratio = goal.to ? { ratio: paired(of(name), of(goal.to)) } : {};
      const row = { name: `${name}, ${kind}`, value: median(of(name)), unit: 'ms/call' };
      report.row({ ...row, ...ratio, ...goal });
    }
  }
}

/** Milliseconds of user and system time of a shell's children, from the last line of `times`. */
function processorTime(text) {
  const times = text
    .trim()
    .split('\n')
    .at(-1)
    .match(/(\d+)m([\d.]+)s/g);
  return times.reduce((sum, time) => {
    const [, minutes, seconds] = /(\d+)m([\d.]+)s/.exec(time);
    return sum + (Number(minutes) * 60 + Number(seconds)) * 1000;
  }, 0);
}

module.exports = { title: 'calls in a loop of a shell', run };
