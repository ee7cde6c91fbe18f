'use strict';
// What idle connections cost: memory each, and the time of others' calls. And an idle daemon itself.
const path = require('node:path');
const { startWorker } = require('./lib/children.js');
const { resident, settled } = require('./lib/process-memory.js');
const { interleave, median, paired } = require('./lib/sampling.js');
const { hasOption, startDaemon, startEchoServer } = require('./lib/surroundings.js');

const MB = 1024 * 1024;
/** Calls in flight while the time of calls is measured. */
const WIDTH = 10;

async function run({ home, report, quick }) {
  const echo = await startEchoServer(home);
  const rest = quick ? resident : settled;
  const many = quick ? 100 : 10_000;
  const canLimit = await hasOption(home, ['daemon'], '--max-connections');
  const args = canLimit ? ['--max-connections', '12000'] : [];
  const startNew = () => startDaemon(path.join(home, 'daemon'), echo.uri, { args });

  const idles = [];
  for (const [kind, use, atMost] of [
    ['silent', false, 6],
    ['used', true, 50],
  ]) {
    const each = [];
    for (let round = 0; round < (quick ? 1 : 3); round += 1) {
      const daemon = await startNew();
      const holder = startWorker('connection-holder', home);
      await holder.ask('open', { path: daemon.socket, count: 1, use: true });
      const idle = await rest(daemon.pid);
      idles.push(idle);
      await holder.ask('open', { path: daemon.socket, count: many, use });
      const full = await rest(daemon.pid);
      const held = await holder.ask('held');
      if (held <= many) throw new Error(`the daemon kept ${held} of ${many + 1} connections`);
      each.push((full - idle) / many / 1024);
      await holder.end();
      await daemon.end();
    }
    const name = `${many} ${kind} connections, memory each`;
    report.row({ name, value: median(each), unit: 'KB', atMost });
  }
  report.row({ name: 'idle daemon', value: median(idles) / MB, unit: 'MB', atMost: 60 });
  await tellCalls({ home, report, quick, echo, args, many });
}

/** Calls through a daemon with one idle connection, beside one with many. */
async function tellCalls({ home, report, quick, echo, args, many }) {
  const counts = [1, many / 10, many];
  const generator = startWorker('load-generator', home);
  const variants = {};
  for (const count of counts) {
    const daemon = await startDaemon(path.join(home, `daemon-${count}`), echo.uri, { args });
    const holder = startWorker('connection-holder', home);
    await holder.ask('open', { path: daemon.socket, count, use: true });
    const load = { path: daemon.socket, width: WIDTH, ms: quick ? 50 : 500 };
    variants[count] = () => generator.ask('kept', load);
  }
  const samples = await interleave(quick ? 1 : 15, variants);
  const of = (count) => samples[count].map(({ rate }) => 1e6 / rate);
  for (const count of counts) {
    report.row({
      name: `a call, ${count} idle connections`,
      value: median(of(count)),
      unit: 'µs',
      ...(count === 1 ? {} : { ratio: paired(of(count), of(1)), to: '1 idle' }),
      ...(count === many ? { atMost: 1.1 } : {}), // flat, and some noise
    });
  }
}

module.exports = { title: 'idle connections', run };
