'use strict';
// Preloaded into a command: writes the most memory it ever had, in bytes, to the file BENCH_PEAK.
const fs = require('node:fs');
const { peak } = require('../lib/process-memory.js');

process.on('exit', () => fs.writeFileSync(process.env.BENCH_PEAK, String(peak('self'))));
