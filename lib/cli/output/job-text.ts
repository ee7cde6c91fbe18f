/** What people are shown of jobs. Text of the server is stripped of what a terminal would act on by who prints it. */
import {
  booleanOf,
  integerOf,
  isNull,
  membersOf,
  onOneLine,
  stringOf,
  type Members,
} from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import { aligned, duration } from './table.js';

/** The members of a job's record that are shown in a row of {@link jobTable}, and more for programs. */
export const LISTED = [
  ...['id', 'method', 'transient', 'description', 'abortable', 'logs_path', 'progress'],
  ...['error', 'state', 'time_started', 'time_finished', 'credentials'],
];

const HEADER = ['ID', 'STATE', 'STARTED', 'ELAPSED', 'USER', 'METHOD', 'DESCRIPTION'];

/** A line a job, no wider than `width`. */
export function jobTable(jobs: readonly Members[], now: Date, width: number): string[] {
  return aligned([HEADER, ...jobs.map((job) => rowOf(job, now))], width);
}

function rowOf(job: Members, now: Date): string[] {
  const { percent, description } = progressOf(job);
  const isRunning = stringOf(job.get('state')) === 'RUNNING';
  const started = timeOf(job, 'time_started');
  return [
    wordOf(job, 'id'),
    isRunning ? `RUNNING ${percent}` : wordOf(job, 'state'),
    started ? shortTime(started, now) : '-',
    elapsed(job, now) ?? '-',
    userOf(job) ?? '-',
    wordOf(job, 'method'),
    // What it is, and what it does now.
    [stringOf(job.get('description')), isRunning ? description : null].filter(Boolean).join(': '),
  ].map(onLine);
}

/** A job's record, a line for each thing that is known of it; values of several lines stand below each other. */
export function jobDetails(job: Members, now: Date): string[] {
  const { percent, description } = progressOf(job);
  const started = timeOf(job, 'time_started');
  const finished = timeOf(job, 'time_finished');
  const details: [string, string | null][] = [
    ['id', wordOf(job, 'id')],
    ['method', wordOf(job, 'method')],
    ['arguments', textOf(job, 'arguments')],
    ['description', textOf(job, 'description')],
    ['state', wordOf(job, 'state')],
    ['progress', [percent, description].filter(Boolean).join(' ')],
    ['user', userOf(job)],
    ['started', started && localTime(started)],
    ['finished', finished && localTime(finished)],
    ['elapsed', elapsed(job, now)],
    ['abortable', yesOrNo(booleanOf(job.get('abortable')))],
    ['log', textOf(job, 'logs_path')],
    ['excerpt', textOf(job, 'logs_excerpt')],
    ['error', textOf(job, 'error')],
    ['result', textOf(job, 'result_encoding_error') ?? textOf(job, 'result')],
  ];
  const rows = details.flatMap(([name, value]) =>
    value ? value.split('\n').map((line, i) => [i === 0 ? `${name}:` : '', line]) : [],
  );
  return aligned(rows);
}

export function hasEnded(job: Members): boolean {
  return ['SUCCESS', 'FAILED', 'ABORTED'].includes(wordOf(job, 'state'));
}

/** A string bare, all else as it is spelt. */
export function wordOf(job: Members, name: string): string {
  return textOf(job, name) ?? '-';
}

function textOf(job: Members, name: string): string | null {
  const value = job.get(name);
  return isNull(value) ? null : (stringOf(value)?.trimEnd() ?? onOneLine(value as Json).toString());
}

function progressOf(job: Members): { percent: string; description: string | null } {
  const progress = membersOf(job.get('progress'));
  const percent = Number(progress?.get('percent')?.toString() ?? NaN);
  return {
    percent: Number.isFinite(percent) ? `${Math.floor(percent)}%` : '',
    description: stringOf(progress?.get('description')),
  };
}

/** Null for a job whose session is over: the server forgets then whose it was. */
function userOf(job: Members): string | null {
  const credentials = membersOf(job.get('credentials'));
  return stringOf(membersOf(credentials?.get('data'))?.get('username'));
}

function timeOf(job: Members, name: string): Date | null {
  const milliseconds = integerOf(membersOf(job.get(name))?.get('$date'));
  const time = new Date(milliseconds ?? NaN);
  return Number.isNaN(time.getTime()) ? null : time;
}

/** As long as it took, or has taken by now. The server's clock may differ from ours. */
function elapsed(job: Members, now: Date): string | null {
  const started = timeOf(job, 'time_started');
  if (!started) return null;
  const end = timeOf(job, 'time_finished') ?? now;
  return duration(Math.max(0, (end.getTime() - started.getTime()) / 1000));
}

function yesOrNo(value: boolean | null): string | null {
  return value === null ? null : value ? 'yes' : 'no';
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** `Nov 26 05:19`, or `Nov 26 2025` of another year. */
function shortTime(time: Date, now: Date): string {
  const isThisYear = time.getFullYear() === now.getFullYear();
  const rest = isThisYear ? localTime(time).slice(11, 16) : `${time.getFullYear()}`;
  return `${MONTHS[time.getMonth()] ?? ''} ${time.getDate()} ${rest}`;
}

/** `2026-11-26 05:19:49`, in this process's time zone. */
function localTime(time: Date): string {
  const local = new Date(time.getTime() - time.getTimezoneOffset() * 60_000);
  return local.toISOString().replace('T', ' ').slice(0, 19);
}

function onLine(cell: string): string {
  return cell.replace(/\s+/g, ' ');
}
