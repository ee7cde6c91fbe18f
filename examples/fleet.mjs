#!/usr/bin/env node
// The pools of several NAS, as a table or as CSV.
//
//   node fleet.mjs systems.txt [--csv]
//
// A line of systems.txt is `NAME URI [USER KEYFILE]`; # begins a comment:
//
//   office  wss://office.example/api/current  report  /root/office.key
//   # archive  wss://archive.example/api/current  report  /root/archive.key
//
// One that can't be asked is told on stderr, and the others are reported. Exit codes: 0; 1 if one could not be asked; 2 wrong usage.
import { readFile } from 'node:fs/promises';
import { connect } from 'midclt';

const FIELDS = { select: ['name', 'status', 'size', 'allocated'], order_by: ['name'] };

function systemsIn(text) {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim());
  return lines.filter(Boolean).map((line) => {
    const [name, uri, username, apiKey] = line.split(/\s+/);
    return { name, uri, username, apiKey };
  });
}

async function poolsOf({ name: system, ...login }) {
  const nas = await connect(login);
  try {
    const pools = await nas.call('pool.query', [[], FIELDS], { timeout: 30 });
    return pools.map((pool) => ({ system, ...pool }));
  } finally {
    await nas.close();
  }
}

const tebibytes = (bytes) => (bytes / 2 ** 40).toFixed(2);

/** What a program may want of a pool. */
function csv(pools) {
  const rows = pools.map((pool) => Object.values(pool));
  const quoted = (value) => `"${String(value).replaceAll('"', '""')}"`;
  return [['system', 'pool', 'status', 'size', 'allocated'], ...rows].map((row) =>
    row.map((value) => (/^[\w.-]*$/.test(value) ? value : quoted(value))).join(','),
  );
}

/** What people may want of it. */
function table(pools) {
  const rows = pools.map(({ system, name, status, size, allocated }) => {
    const used = `${Math.round((100 * allocated) / size)} %`;
    return [system, name, status, tebibytes(size), used];
  });
  const all = [['SYSTEM', 'POOL', 'STATUS', 'TIB', 'USED'], ...rows];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd(),
  );
}

const [file, format] = process.argv.slice(2);
if (file === undefined || (format ?? '--csv') !== '--csv') {
  console.error('usage: fleet.mjs FILE [--csv]');
  process.exit(2);
}
const systems = systemsIn(await readFile(file, 'utf8'));
const answers = await Promise.allSettled(systems.map(poolsOf));
const pools = answers.flatMap(({ value = [] }) => value);
for (const line of format === '--csv' ? csv(pools) : table(pools)) console.log(line);
for (const [i, { reason }] of answers.entries()) {
  if (reason === undefined) continue;
  console.error(`${systems[i].name}: ${reason.message}`);
  process.exitCode = 1;
}
