'use strict';
// A hundred systems from one machine, each with a daemon of its own: started cold, warm, and beside calls that log in.
const fs = require('node:fs');
const path = require('node:path');
const {
  BINARY,
  LAUNCHER,
  adopt,
  environment,
  output,
  start,
  startWorker,
} = require('./lib/children.js');
const { descriptors, proportional, resident, settled } = require('./lib/process-memory.js');
const { processorTime } = require('./lib/processor-time.js');
const { interleave, median, paired } = require('./lib/sampling.js');

const MB = 1024 * 1024;
/** Calls at a time. */
const PARALLEL = 8;
/** Processes in which the systems are simulated. */
const BOXES = 2;

async function run({ home, report, quick }) {
  const count = quick ? 4 : Number(process.env.BENCH_SYSTEMS ?? 100);
  fs.mkdirSync(home, { recursive: true });
  const env = environment(home, { MIDCLT_AUTOSTART: '1' });
  const systems = await startSystems(home, count);
  const pids = () => adopt(home);
  const stop = () =>
    output(process.execPath, [BINARY, 'daemon-stop', '--all'], {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });

  /** One call of each system, `PARALLEL` at a time: milliseconds of the clock and of processors, and logins. */
  const round = async (args) => {
    const logins = await systems.logins();
    const before = new Map(pids().map((pid) => [pid, processorTime(pid)]));
    const children = childrenTime();
    const began = performance.now();
    const left = [...systems.options];
    const lane = async () => {
      for (let options; (options = left.shift());) {
        const child = start(LAUNCHER, [...options, ...args], { env, cwd: home, stdio: 'ignore' });
        const { code } = await child.closed;
        if (code !== 0) throw new Error(`midclt ${args.join(' ')}: exit code ${code}`);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, lane));
    const took = performance.now() - began;
    let cpu = childrenTime() - children;
    for (const pid of pids()) cpu += processorTime(pid) - (before.get(pid) ?? 0);
    return { took, cpu, logins: (await systems.logins()) - logins };
  };

  const memory = [];
  let fds = 0;
  const taken = await interleave(quick ? 1 : 3, {
    direct: () => round(['ping']),
    through: async () => {
      const cold = await round(['-d', 'ping']);
      const warm = await round(['-d', 'ping']);
      const daemons = pids();
      if (!quick) await settled(daemons[daemons.length - 1]);
      const sum = (of) => daemons.reduce((all, pid) => all + of(pid), 0);
      memory.push({ pss: sum(proportional), rss: sum(resident) });
      fds = Math.max(...daemons.map(descriptors));
      await stop();
      return { cold, warm };
    },
  });
  await systems.end();
  const samples = {
    cold: taken.through.map(({ cold }) => cold),
    warm: taken.through.map(({ warm }) => warm),
    direct: taken.direct,
  };
  tell(report, count, samples);
  const row = (name, value, unit, more) => report.row({ name, value, unit, ...more });
  const [pss, rss] = ['pss', 'rss'].map((what) => median(memory.map((each) => each[what])) / MB);
  row(`${count} daemons, proportional memory`, pss, 'MB');
  row(`${count} daemons, resident memory`, rss, 'MB', { ratio: rss / pss, to: 'proportional' });
  row('a daemon, proportional memory', pss / count, 'MB', { atMost: 45 });
  row('a daemon, descriptors', fds, '');
}

function tell(report, count, samples) {
  const of = (variant, what) => samples[variant].map((sample) => sample[what]);
  const names = { cold: 'cold', warm: 'warm', direct: 'direct, each with a login' };
  for (const [variant, name] of Object.entries(names)) {
    const row = (what, unit, divisor, more = {}) => {
      const value = median(of(variant, what)) / divisor;
      const isDirect = variant === 'direct';
      const beside = isDirect
        ? {}
        : { ratio: paired(of(variant, what), of('direct', what)), to: 'direct' };
      return { name: `${count} systems, ${name}`, value, unit, ...beside, ...more };
    };
    const goals = variant === 'warm' ? { atMost: 0.5 } : {};
    report.row(row('took', 's', 1000, goals));
    report.row(row('cpu', 's of CPU', 1000));
    const logins = median(of(variant, 'logins')) / count;
    report.row({ name: `${count} systems, ${name}, logins each`, value: logins, unit: '' });
  }
}

/** Systems on ports of this machine, and the options with which each is reached. */
async function startSystems(home, count) {
  const secret = path.join(home, 'password');
  fs.writeFileSync(secret, 'admin-pw\n', { mode: 0o600 });
  const boxes = Array.from({ length: BOXES }, () => startWorker('sandboxes', home));
  const ports = [];
  for (const [index, box] of boxes.entries()) {
    const size = Math.ceil(count / BOXES);
    const paths = Array.from({ length: size }, (_, i) => path.join(home, `${index}-${i}.sock`));
    ports.push(...(await box.ask('start', { paths })));
  }
  const login = ['-U', 'admin', '--password-file', secret];
  return {
    options: ports
      .slice(0, count)
      .map((port) => ['-u', `ws://127.0.0.1:${port}/api/current`, ...login]),
    async logins() {
      const counts = await Promise.all(boxes.map((box) => box.ask('counts')));
      return counts.flat().reduce((sum, { logins }) => sum + logins, 0);
    },
    end: () => Promise.all(boxes.map((box) => box.end())),
  };
}

/** Milliseconds of processor time of this process's children that have ended, and of theirs. */
function childrenTime() {
  const stat = fs.readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

module.exports = { title: 'a hundred systems from one machine', run };
