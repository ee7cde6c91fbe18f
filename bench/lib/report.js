'use strict';
// Prints figures beside their goals, for people or as NDJSON.
const os = require('node:os');

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {number} value
 * @property {string} unit
 * @property {number} [ratio] of the value to that of something else
 * @property {string} [to] what that is
 * @property {number} [atMost] the goal, of the ratio if there is one, else of the value
 * @property {number} [atLeast]
 */

class Report {
  constructor({ json, quick }) {
    this.json = json;
    this.quick = quick;
    this.bench = null;
  }

  machine() {
    const facts = {
      date: new Date().toISOString(),
      node: process.version,
      cores: os.cpus().length,
      cpu: os.cpus()[0]?.model ?? 'unknown',
      load: Number(os.loadavg()[0].toFixed(1)),
      quick: this.quick,
    };
    if (this.json) print(JSON.stringify({ machine: facts }));
    else {
      print(`${facts.date}, Node ${facts.node}, ${facts.cores} × ${facts.cpu}, load ${facts.load}`);
      if (this.quick) print('Quick: to see that it works. The figures mean nothing.');
    }
  }

  begin(bench, title) {
    this.bench = bench;
    if (!this.json) print(`\n${bench}: ${title}`);
  }

  /** @param {Row} row */
  row(row) {
    const { name, value, unit, ratio = null, to = null } = row;
    const goal = goalOf(row);
    const verdict = verdictOf(row);
    if (this.json) {
      print(JSON.stringify({ bench: this.bench, name, value, unit, ratio, to, goal, verdict }));
      return;
    }
    const compared = ratio === null ? '' : `${digits(ratio)} × ${to}`;
    const cells = [name.padEnd(50), `${digits(value)} ${unit}`.padEnd(15), compared.padEnd(25)];
    print(`  ${cells.join(' ')} ${(goal ?? '').padEnd(9)} ${verdict ?? ''}`.trimEnd());
  }

  note(text) {
    if (this.json) print(JSON.stringify({ bench: this.bench, note: text }));
    else print(`  (${text})`);
  }
}

function goalOf({ atMost, atLeast, ratio, unit }) {
  const suffix = ratio === undefined ? ` ${unit}` : ' ×';
  if (atMost !== undefined) return `≤ ${atMost}${suffix}`;
  return atLeast === undefined ? null : `≥ ${atLeast}${suffix}`;
}

function verdictOf({ atMost, atLeast, ratio, value }) {
  if (atMost === undefined && atLeast === undefined) return null;
  const measured = ratio ?? value;
  return measured <= (atMost ?? Infinity) && measured >= (atLeast ?? -Infinity) ? 'pass' : 'short';
}

function digits(number) {
  if (Math.abs(number) >= 1000) return Math.round(number).toLocaleString('en');
  return Math.abs(number) >= 100
    ? number.toFixed(0)
    : number.toFixed(Math.abs(number) < 10 ? 2 : 1);
}

function print(line) {
  process.stdout.write(`${line}\n`);
}

module.exports = { Report };
