'use strict';
// Memory of a process, in bytes, and its descriptors; Linux only.
const fs = require('node:fs');

function read(pid, field) {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s*(\\d+) kB`, 'm').exec(status)[1]) * 1024;
}

const resident = (pid) => read(pid, 'VmRSS');

/** The most it ever was, or since `forgetPeak`. */
const peak = (pid) => read(pid, 'VmHWM');

/** Its own, and its share of what others have mapped, too: what one more such process costs a machine. */
function proportional(pid) {
  const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s*(\d+) kB/m.exec(text)[1]) * 1024;
}

const descriptors = (pid) => fs.readdirSync(`/proc/${pid}/fd`).length;

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

module.exports = { descriptors, forgetPeak, peak, proportional, resident, settled };
