'use strict';
const fs = require('node:fs');

/** Milliseconds in a clock tick of /proc: Linux has a hundred a second, everywhere. */
const TICK = 10;

/** Milliseconds of user and system time a process has had, to a hundredth of a second; Linux only. */
function processorTime(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK;
}

module.exports = { processorTime };
