'use strict';
// A file of a job, to nowhere: by the command line, through a daemon and without one, beside the least that Node can do.
const fs = require('node:fs');
const path = require('node:path');
const { BINARY, environment, start, timed } = require('./lib/children.js');
const { interleave, median, paired } = require('./lib/sampling.js');
const { startDaemon } = require('./lib/surroundings.js');

const MB = 1e6;
const FETCHER = path.join(__dirname, 'workers/fetcher.js');

async function run({ home, report, quick }) {
  const socket = path.join(home, 'mw.sock');
  fs.mkdirSync(home, { recursive: true });
  const options = { env: environment(home), cwd: home };
  start(process.execPath, [BINARY, 'sandbox', '--unix', socket], { ...options, stdio: 'ignore' });
  const deadline = Date.now() + 60_000;
  while (!fs.existsSync(socket)) {
    if (Date.now() > deadline) throw new Error('the sandbox does not listen');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const uri = `ws+unix://${socket}`;
  await startDaemon(home, uri);
  for (const size of quick ? [1, 5] : [1, 500]) {
    const bytes = String(size * MB);
    const download = ['download', '-o', '/dev/null', 'test.download', bytes];
    const node =
      (...args) =>
      () =>
        timed(process.execPath, args, options);
    const samples = await interleave(quick ? 2 : 7, {
      fetcher: node(FETCHER, socket, bytes),
      'midclt -d download': node(BINARY, '-u', uri, '-d', ...download),
      'midclt download, direct': node(BINARY, '-u', uri, ...download),
    });
    const { fetcher, ...commands } = samples;
    report.row({ name: `${size} MB, ws and node:http alone`, value: median(fetcher), unit: 'ms' });
    for (const [name, own] of Object.entries(commands)) {
      const ratio = { ratio: paired(own, fetcher), to: 'node:http' };
      report.row({ name: `${size} MB, ${name}`, value: median(own), unit: 'ms', ...ratio });
    }
  }
}

module.exports = { title: 'files of jobs', run };
