'use strict';
// A hundred systems from one machine, each with a daemon of its own: by one command for all of them and by a command each, with the
// daemons to be started and running, beside calls that log in. BENCH_SYSTEMS=N: so many.
const fs = require('node:fs');
const path = require('node:path');
const { LAUNCHER, adopt, environment, start, startWorker } = require('./lib/children.js');
const { descriptors, proportional, resident, settled } = require('./lib/process-memory.js');
const { processorTime } = require('./lib/processor-time.js');
const { interleave, median, paired } = require('./lib/sampling.js');

const { API_KEYS } = require('../dist/lib/sandbox/index.js');

const MB = 1024 * 1024;
/** Calls at a time. */
const PARALLEL = 8;
/** Of so many systems one is asked with an API key, too. */
const KEYS = 5;
/** Milliseconds in which the idle daemons are watched. */
const IDLE = 20_000;
/** Processes in which the systems are simulated. */
const BOXES = 2;

async function run({ home, report, quick }) {
  const count = quick ? 4 : Number(process.env.BENCH_SYSTEMS ?? 100);
  fs.mkdirSync(home, { recursive: true });
  const env = environment(home, {
    MIDCLT_AUTOSTART: '1',
    XDG_CONFIG_HOME: path.join(home, '.config'),
  });
  const systems = await startSystems(home, count);
  const pids = () => adopt(home);
  const command = (args, more = {}) => {
    const child = start(LAUNCHER, args, { env: { ...env, ...more }, cwd: home, stdio: 'ignore' });
    return child.closed.then(({ code }) => {
      if (code !== 0) throw new Error(`midclt ${args.join(' ')}: exit code ${code}`);
    });
  };
  const fleet = (group, more) => () => command(['-p', group, 'ping'], more);
  /** With `-d` without the login, which only what starts a daemon needs. */
  const each = (options, args) => async () => {
    const left = [...options];
    const lane = async () => {
      for (let system; (system = left.shift());) await command([...system, ...args, 'ping']);
    };
    await Promise.all(Array.from({ length: PARALLEL }, lane));
  };

  /** A call of each system: milliseconds of the clock and of processors, the simulated systems' left out, and logins. */
  const measure = async (calls) => {
    const logins = await systems.logins();
    const before = new Map(pids().map((pid) => [pid, processorTime(pid)]));
    const children = childrenTime();
    const began = performance.now();
    await calls();
    const took = performance.now() - began;
    let cpu = childrenTime() - children;
    for (const pid of pids()) cpu += processorTime(pid) - (before.get(pid) ?? 0);
    return { took, cpu, logins: (await systems.logins()) - logins };
  };

  const memory = [];
  const idle = [];
  let fds = 0;
  const direct = { MIDCLT_USE_DAEMON: '0' };
  const taken = await interleave(quick ? 1 : 3, {
    direct: async () => ({
      fleetDirect: await measure(fleet('@all-of-them', direct)),
      keyDirect: await measure(fleet('@with-key', direct)),
      eachDirect: await measure(each(systems.withLogin, [])),
    }),
    through: async () => {
      const cold = await measure(fleet('@all-of-them'));
      const warm = await measure(fleet('@all-of-them'));
      const keyWarm = await measure(fleet('@with-key'));
      const eachWarm = await measure(each(systems.options, ['-d']));
      const daemons = pids();
      if (!quick) await settled(daemons[daemons.length - 1]);
      const sum = (of) => daemons.reduce((all, pid) => all + of(pid), 0);
      memory.push({ pss: sum(proportional), rss: sum(resident) });
      fds = Math.max(...daemons.map(descriptors));
      const cpu = sum(processorTime);
      const watched = quick ? 100 : IDLE;
      await new Promise((resolve) => setTimeout(resolve, watched));
      idle.push(((sum(processorTime) - cpu) / watched) * 100);
      await command(['daemon-stop', '--all']);
      return { cold, warm, keyWarm, eachWarm };
    },
  });
  const samples = {};
  for (const round of Object.values(taken).flat()) {
    for (const [variant, sample] of Object.entries(round)) {
      (samples[variant] ??= []).push(sample);
    }
  }
  await systems.end();
  tell(report, systems, samples);
  const row = (name, value, unit, more) => report.row({ name, value, unit, ...more });
  const [pss, rss] = ['pss', 'rss'].map((what) => median(memory.map((each) => each[what])) / MB);
  row(`${count} daemons, proportional memory`, pss, 'MB');
  row(`${count} daemons, resident memory`, rss, 'MB', { ratio: rss / pss, to: 'proportional' });
  row('a daemon, proportional memory', pss / count, 'MB', { atMost: 45 });
  row('a daemon, descriptors', fds, '');
  row(`${count} idle daemons`, median(idle), '% of a core');
}

const NAMES = {
  fleetDirect: '-p all, a login each',
  keyDirect: '-p @group, an API key each',
  keyWarm: '-p @group, daemons running',
  cold: '-p all, daemons to be started',
  warm: '-p all, daemons running',
  eachDirect: 'a command each with a login',
  eachWarm: 'a command each with -d',
};
const RIVALS = {
  keyWarm: 'keyDirect',
  cold: 'fleetDirect',
  warm: 'fleetDirect',
  eachWarm: 'eachDirect',
};

function tell(report, { options, keys }, samples) {
  const of = (variant, what) => samples[variant].map((sample) => sample[what]);
  for (const [variant, text] of Object.entries(NAMES)) {
    const count = variant.startsWith('key') ? keys : options.length;
    const name = `${count} systems, ${text}`;
    const rival = RIVALS[variant];
    const row = (what, unit, goal = {}) => {
      const ratio = rival && paired(of(variant, what), of(rival, what));
      const more = rival ? { ratio, to: 'with logins', ...goal } : {};
      report.row({ name, value: median(of(variant, what)) / 1000, unit, ...more });
    };
    row('took', 's', variant === 'keyWarm' ? { atMost: 0.5 } : {});
    row('cpu', 's of CPU');
    const logins = median(of(variant, 'logins')) / count;
    report.row({ name: `${name}: logins each`, value: logins, unit: '' });
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
  const uris = ports.slice(0, count).map((port) => `ws://127.0.0.1:${port}/api/current`);
  const options = uris.map((uri) => ['-u', uri, '-U', 'admin']);
  const key = path.join(home, 'key');
  fs.writeFileSync(key, `${API_KEYS[0].id}-${API_KEYS[0].key}\n`, { mode: 0o600 });
  const profiles = uris.map((uri, i) => {
    const where = `uri = "${uri}"\nusername = "admin"\n`;
    const all = `[profile.nas${i}]\n${where}password_file = "${secret}"\ngroups = ["all-of-them"]\n`;
    if (i % KEYS > 0) return all;
    return `${all}[profile.key${i}]\n${where}api_key_file = "${key}"\ngroups = ["with-key"]\n`;
  });
  const directory = path.join(home, '.config/midclt');
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  fs.writeFileSync(path.join(directory, 'profiles.toml'), profiles.join('\n'), { mode: 0o600 });
  return {
    options,
    withLogin: options.map((each) => [...each, '--password-file', secret]),
    keys: Math.ceil(count / KEYS),
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
