'use strict';
// npm run bench -- [--quick] [--json] [--cpu-prof DIR] [NAME ...]
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { endAll, killAll } = require('./lib/children.js');
const { Report } = require('./lib/report.js');

const NAMES = [
  'startup',
  'hop',
  'large',
  'batch',
  'idle',
  'shell',
  'find',
  'files',
  'scale',
  'fleet',
  'peer',
];
const USAGE = `usage: npm run bench -- [--quick] [--json] [--cpu-prof DIR] [${NAMES.join('|')} ...]`;

let interrupted = false;

async function main() {
  const { names, quick, json, profile } = readArguments(process.argv.slice(2));
  // Short, since the path of a Unix socket has to be.
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'mb-'));
  const cleanUp = () => fs.rmSync(home, { recursive: true, force: true });
  const interrupt = (code) => {
    interrupted = true;
    void killAll().then(() => {
      cleanUp();
      process.exit(code);
    });
  };
  for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 })) {
    process.on(signal, () => interrupt(128 + number));
  }
  process.stdout.on('error', () => interrupt(1)); // who read the figures has gone: `| head`
  const report = new Report({ json, quick });
  report.machine();
  try {
    for (const name of names) {
      const bench = require(`./${name}.js`);
      report.begin(name, bench.title);
      await bench.run({ home: path.join(home, name), report, quick, profile });
      await endAll();
    }
  } finally {
    await endAll();
    cleanUp();
  }
}

function readArguments(args) {
  const options = { names: [], quick: false, json: false, profile: undefined };
  while (args.length > 0) {
    const arg = args.shift();
    if (arg === '--quick') options.quick = true;
    else if (arg === '--json') options.json = true;
    else if (arg === '--cpu-prof' && args.length > 0) options.profile = path.resolve(args.shift());
    else if (NAMES.includes(arg)) options.names.push(arg);
    else {
      process.stderr.write(`${USAGE}\n`);
      process.exit(2);
    }
  }
  if (options.names.length === 0) options.names = NAMES;
  return options;
}

main().catch((error) => {
  if (interrupted) return; // its processes were ended under it
  process.stderr.write(`bench: ${error.stack}\n`);
  process.exitCode = 1;
});
