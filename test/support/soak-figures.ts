/** What a soak has shown, as one table and as JSON. */
import fs from 'node:fs';
import type { Stage, Tally } from './soak-stage.js';

/** What one transport has shown. */
export interface Row {
  readonly name: string;
  readonly sent: number;
  readonly answered: number;
  readonly unknown: number;
  readonly notSent: number;
  readonly abandoned: number;
  readonly lost: number;
  readonly doubled: number;
  readonly misrouted: number;
  /** Calls that were given up, and that a connection had under way when it broke: never run. */
  readonly swallowed: number;
  /** Calls that the server ran. */
  readonly run: number;
  readonly losses: number;
  readonly logins: number;
  readonly events: number;
  readonly gaps: number;
  readonly files: number;
  readonly batches: number;
  readonly processes: number;
  /** In megabytes: at the start, at the end, and the most of the looks between, a minute apart. */
  readonly memory: { readonly before: number; readonly after: number; readonly most: number };
  readonly descriptors: { readonly before: number; readonly after: number };
  /** Milliseconds that the slowest answer took. */
  readonly longest: number;
  readonly violations: number;
  /** The first of them, each a line. */
  readonly first: readonly string[];
}

export function rowOf(
  { transport, ledger, journal, listeners }: Stage,
  { done, ticks, samples }: Tally,
  logins: number,
): Row {
  const { counts } = ledger;
  const [before, after] = [samples.at(0)!, samples.at(-1)!];
  const sum = (of: 'events' | 'gaps') => listeners.reduce((total, each) => total + each[of], 0);
  return {
    name: transport.name,
    sent: ledger.sent,
    answered: counts.answered,
    unknown: counts.unknown,
    notSent: counts['not sent'],
    abandoned: counts.abandoned,
    lost: ledger.lost,
    doubled: ledger.doubled,
    misrouted: ledger.misrouted,
    swallowed: ledger.swallowed,
    run: journal.calls,
    losses: ledger.losses,
    logins,
    events: sum('events') + ticks,
    gaps: sum('gaps'),
    files: done.downloads + done.uploads,
    batches: done.batches,
    processes: done.calls + done.waits + done.batches + done.downloads + done.uploads,
    memory: {
      before: before.megabytes,
      after: after.megabytes,
      most: Math.max(...samples.map(({ megabytes }) => megabytes)),
    },
    descriptors: { before: before.descriptors, after: after.descriptors },
    longest: Math.round(ledger.longest),
    violations: ledger.wrong,
    first: ledger.violations.slice(0, 10),
  };
}

const COUNTS = [
  ...(['sent', 'answered', 'unknown', 'notSent', 'abandoned', 'lost', 'doubled'] as const),
  ...(['misrouted', 'swallowed', 'run', 'losses', 'logins', 'events', 'gaps', 'files'] as const),
  ...(['batches', 'processes', 'violations'] as const),
];

export interface Soak {
  readonly rows: readonly Row[];
  readonly faults: ReadonlyMap<string, number>;
  readonly seconds: number;
  readonly seed: number;
}

/** The lines of one table for all transports. */
export function tableOf({ rows, faults, seconds, seed }: Soak): string[] {
  const header = ['', ...rows.map(({ name }) => name), 'all'];
  const lines = COUNTS.map((name) => [
    name === 'notSent' ? 'not sent' : name,
    ...rows.map((row) => String(row[name])),
    String(rows.reduce((total, row) => total + row[name], 0)),
  ]);
  const measures = (['memory', 'descriptors'] as const).map((name) => [
    name === 'memory' ? 'memory, MB' : name,
    ...rows.map((row) => `${row[name].before} → ${row[name].after}`),
    '',
  ]);
  const all = [header, ...lines, ...measures];
  const widths = header.map((_, i) => Math.max(...all.map((line) => line[i]!.length)));
  const laid = all.map((line) =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  '),
  );
  const total = [...faults.values()].reduce((sum, count) => sum + count, 0);
  return [
    `${seconds} s, seed ${seed}, ${total} faults`,
    ...laid,
    ...[...faults].sort().map(([fault, count]) => `${String(count).padStart(6)}  ${fault}`),
  ];
}

/** Writes them where MIDCLT_SOAK_FIGURES names a file: a line of JSON for each transport, and one for all. */
export function keepFigures({ rows, faults, seconds, seed }: Soak): void {
  const file = process.env.MIDCLT_SOAK_FIGURES;
  if (!file) return;
  const sums = Object.fromEntries(
    COUNTS.map((name) => [name, rows.reduce((total, row) => total + row[name], 0)]),
  );
  const both = (name: 'memory' | 'descriptors') => ({
    before: rows.reduce((total, row) => total + row[name].before, 0),
    after: rows.reduce((total, row) => total + row[name].after, 0),
  });
  const all = {
    ...{ name: 'all', seconds, seed, ...sums },
    ...{ memory: both('memory'), descriptors: both('descriptors') },
    faults: Object.fromEntries([...faults].sort()),
  };
  const lines = rows.map(({ first, ...row }) => ({
    ...{ seconds, seed, ...row },
    ...(first.length > 0 ? { first } : {}),
  }));
  fs.writeFileSync(file, [...lines, all].map((line) => `${JSON.stringify(line)}\n`).join(''));
}
