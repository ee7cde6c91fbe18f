'use strict';
// Resident memory of a process, in bytes; Linux only.
const fs = require('node:fs');

function read(pid, field) {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s*(\\d+) kB`, 'm').exec(status)[1]) * 1024;
}

const resident = (pid) => read(pid, 'VmRSS');

/** The most it ever was, or since `forgetPeak`. */
const peak = (pid) => read(pid, 'VmHWM');

function forgetPeak(pid) {
  fs.writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Resolves with the resident memory once it has stood still for a second, or after ten. */
async function settled(pid) {
  let known = resident(pid);
  let still = 0;
  for (let look = 0; look < 100 && still < 10; look += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const now = resident(pid);
    still = Math.abs(now - known) < 0.005 * known ? still + 1 : 0;
    known = now;
  }
  return known;
}

module.exports = { forgetPeak, peak, resident, settled };
