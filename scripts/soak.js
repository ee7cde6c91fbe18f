'use strict';
// Uses every transport at once for a while, with a fault each second, and prints what was shown as one table:
//
//   npm run soak [-- SECONDS]     3600 unless told
//
// MIDCLT_SOAK_FIGURES=FILE has the figures, too, a line of JSON for each transport and one for all. MIDCLT_TEST_SEED repeats the order of the faults.
const { spawnSync } = require('node:child_process');
const path = require('node:path');

const seconds = Number(process.argv[2] ?? 3600);
if (!(seconds > 0)) throw new Error('Say for how many seconds: npm run soak -- 3600');
/** For the tests around it, the start and the end. */
const patience = String(seconds + 600);
const run = spawnSync(
  process.execPath,
  [path.join(__dirname, 'test.js'), 'test/soak/soak.test.ts'],
  {
    cwd: path.join(__dirname, '..'),
    stdio: 'inherit',
    env: {
      ...process.env,
      MIDCLT_SOAK_SECONDS: String(seconds),
      TAP_TIMEOUT: patience,
      MIDCLT_TEST_PATIENCE: patience,
    },
  },
);
process.exitCode = run.status ?? 1;
