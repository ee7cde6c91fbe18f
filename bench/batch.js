'use strict';
// A file of many small requests through `midclt -d batch`.
const fs = require('node:fs');
const path = require('node:path');
const { BINARY, environment, output } = require('./lib/children.js');
const { interleave, median, paired } = require('./lib/sampling.js');
const { startDaemon, startEchoServer } = require('./lib/surroundings.js');

const MB = 1024 * 1024;
const PRELOAD = path.join(__dirname, 'workers/peak-at-exit.js');

async function run({ home, report, quick }) {
  const { uri } = await startEchoServer(home);
  await startDaemon(home, uri);
  const many = quick ? 500 : 100_000;
  const variants = {
    few: () => batch(home, uri, many / 10, []),
    many: () => batch(home, uri, many, []),
    wide: () => batch(home, uri, many, ['--parallel', '8']),
  };
  const samples = await interleave(quick ? 1 : 5, variants);
  const of = (name, what) => samples[name].map((sample) => sample[what]);
  const rate = (name, count) => median(of(name, 'took').map((took) => (count / took) * 1000));
  const million = quick ? many : 1_000_000;
  const { took, memory } = await batch(home, uri, million, []);
  const label = `${many.toLocaleString('en')} requests`;
  report.row({ name: label, value: rate('many', many), unit: 'calls/s' });
  report.row({ name: `${label}, --parallel 8`, value: rate('wide', many), unit: 'calls/s' });
  report.row({
    name: `${label}, peak memory`,
    value: median(of('many', 'memory')) / MB,
    unit: 'MB',
    ratio: paired(of('many', 'memory'), of('few', 'memory')),
    to: 'a tenth of them',
    atMost: 1.1, // constant, and some noise
  });
  const all = `${million.toLocaleString('en')} requests`;
  report.row({ name: all, value: (million / took) * 1000, unit: 'calls/s' });
  report.row({
    name: `${all}, peak memory`,
    value: memory / MB,
    unit: 'MB',
    ratio: memory / median(of('few', 'memory')),
    to: `${(many / 10).toLocaleString('en')} of them`,
    atMost: 1.1,
  });
}

/** Milliseconds and bytes that `midclt -d batch` takes for so many requests. */
async function batch(home, uri, count, args) {
  const file = path.join(home, `${count}.ndjson`);
  if (!fs.existsSync(file)) fs.writeFileSync(file, requests(count));
  const peak = path.join(home, 'peak');
  const midclt = [process.execPath, '--require', PRELOAD, BINARY, '-u', uri, '-d', 'batch'];
  const command = ['-c', '"$@" | grep -c \'"type":"result"\'', 'sh', ...midclt, ...args, file];
  const env = environment(home, { BENCH_PEAK: peak });
  const { text, took } = await output('/bin/sh', command, { env });
  if (Number(text) !== count) throw new Error(`${text.trim()} of ${count} requests have a result`);
  return { took, memory: Number(fs.readFileSync(peak, 'utf8')) };
}

function requests(count) {
  let text = '';
  for (let n = 0; n < count; n += 1) {
    text += `{"command":"call","method":"test.echo","params":["x",${n}],"id":${n}}\n`;
  }
  return text;
}

module.exports = { title: 'a file of requests', run };
