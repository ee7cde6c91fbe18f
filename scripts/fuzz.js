'use strict';
// Gives the program random inputs, 20,000 or as many as are asked for, and prints how many each part of it had:
//
//   npm run fuzz [-- INPUTS] [FILE…]
//
// MIDCLT_TEST_SEED repeats a run: each test prints its seed.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

/** What the targets in test/fuzz ask for together. */
const INPUTS = 20_000;
const root = path.join(__dirname, '..');

function main(args) {
  const wanted = args[0] !== undefined && /^\d+$/.test(args[0]) ? Number(args[0]) : INPUTS;
  const files = args.filter((arg) => !/^\d+$/.test(arg));
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'fuzz-'));
  // proof.js keeps them.
  const figures = process.env.MIDCLT_FUZZ_FIGURES ?? path.join(directory, 'figures');
  fs.writeFileSync(figures, '');
  const run = spawnSync(
    process.execPath,
    [path.join(__dirname, 'test.js'), ...(files.length > 0 ? files : ['test/fuzz'])],
    {
      cwd: root,
      stdio: 'inherit',
      env: {
        ...process.env,
        MIDCLT_FUZZ_TIMES: String(wanted / INPUTS),
        MIDCLT_FUZZ_FIGURES: figures,
        // A target may take this many seconds, and more with more inputs.
        TAP_TIMEOUT: String(Math.ceil(300 * Math.max(1, wanted / INPUTS))),
        MIDCLT_TEST_PATIENCE: String(Math.ceil(20 * 60 * Math.max(1, wanted / INPUTS))),
      },
    },
  );
  const rows = fs.readFileSync(figures, 'utf8').trim().split('\n').filter(Boolean).map(JSON.parse);
  fs.rmSync(directory, { recursive: true });
  const sum = rows.reduce((total, { inputs }) => total + inputs, 0);
  for (const { name, inputs, failed, seconds, seed } of rows) {
    console.log(
      `${String(inputs).padStart(9)}  ${name}, seed ${seed}, ${seconds.toFixed(0)} s${failed ? ', FAILED' : ''}`,
    );
  }
  console.log(`${String(sum).padStart(9)}  random inputs in all`);
  process.exitCode = run.status ?? 1;
  if (files.length > 0 || sum >= wanted) return;
  const python = spawnSync('python3', ['--version'], { encoding: 'utf8' }).stdout ?? '';
  if (/^Python 3\.(9|10|11)\./.test(python)) {
    console.log(
      `not the ${wanted} that were asked for: the targets' inputs do not add up to ${INPUTS}`,
    );
    process.exitCode = 1;
  } else console.log('fewer than asked for: what is held to Python needs Python 3.9 to 3.11');
}

main(process.argv.slice(2));
