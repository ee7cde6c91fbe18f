'use strict';
// Preloaded into a process whose wall clock is to jump: by as many milliseconds as the file CLOCK_JUMP names.
const fs = require('node:fs');

const file = process.env.CLOCK_JUMP;
const Real = Date;
const jump = () => Number(fs.readFileSync(file, 'utf8'));

global.Date = class extends Real {
  constructor(...args) {
    super(...(args.length > 0 ? args : [Real.now() + jump()]));
  }

  static now() {
    return Real.now() + jump();
  }
};
