/** Text in lines and columns, as wide as a terminal shows it; and durations. */
import { isatty } from 'node:tty';
import { stripControls } from '../../text/terminal.js';
import { writeOut } from './output.js';

const STDOUT = 1;
const DEFAULT_COLUMNS = 80;

/** How wide a table may be: as the terminal, if stdout is one. */
export function widthOfStdout(): number {
  return isatty(STDOUT) ? process.stdout.columns || DEFAULT_COLUMNS : Infinity;
}

/** The columns that a terminal takes for a text. What knows the odd characters takes 40 ms to load: most have none. */
export function widthOf(text: string): number {
  if (/^[ -~…]*$/.test(text)) return text.length;
  const { default: stringWidth } = require('string-width') as typeof import('string-width');
  return stringWidth(text);
}

/** Columns two blanks apart, the last as wide as it is. Lines are cut where they would be wider than `most`. */
export function aligned(rows: readonly (readonly string[])[], most = Infinity): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, widthOf(cell))));
  }
  return rows.map((row) => {
    const padded = row.map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - widthOf(cell)));
    return cut(padded.join('  ').trimEnd(), most);
  });
}

/** The text, or as much of it as there is room for and an ellipsis. */
export function cut(line: string, most: number): string {
  if (line.length <= most / 2 || widthOf(line) <= most) return line;
  let kept = '';
  let width = 1; // the ellipsis
  // What a terminal shows as one character may be several, and two columns wide.
  for (const { segment } of new Intl.Segmenter().segment(line)) {
    width += widthOf(segment);
    if (width > most) break;
    kept += segment;
  }
  return `${kept.trimEnd()}…`;
}

/** `01:02:03`, and the days before it. */
export function duration(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const clock = new Date((seconds % 86_400) * 1000).toISOString().slice(11, 19);
  return days > 0 ? `${days}d ${clock}` : clock;
}

/** `0:07`, `12:30`, `1:02:03`: of what changes while one looks. */
export function timeText(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (number: number) => String(number).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const tail = two(whole % 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${tail}` : `${minutes}:${tail}`;
}

/** To stdout, without what a terminal would act on, for what is told may come from a server; `kept` stays. */
export function printLines(lines: readonly string[], kept = ''): void {
  if (lines.length === 0) return;
  writeOut(Buffer.from(`${lines.map((line) => stripControls(line, kept)).join('\n')}\n`));
}
