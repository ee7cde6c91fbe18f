/**
 * What `call -j` shows on stderr while a job runs: a bar, or a line for each new description.
 * Either is loaded with every such call, so this file stays small.
 */
import { stripControls } from '../../text/terminal.js';

export interface ProgressOutput {
  readonly isTTY: boolean;
  /** Of the terminal, read at every draw. */
  readonly columns: number | undefined;
  write(text: string): void;
}

export interface ProgressView {
  /** `percent` 0 to 100; null or 0, and an empty description, leave what was shown before. */
  update(percent: number | null, description: string | null): void;
  /** Once, at the end of the job. */
  finish(success: boolean): void;
}

interface Environment {
  readonly TERM?: string | undefined;
  /** Nothing here is coloured. */
  readonly NO_COLOR?: string | undefined;
}

const CELLS = 40;
const FEWEST_CELLS = 4;

/** Two lines redrawn in place; off a terminal one plain line for each change. */
export class ProgressBar implements ProgressView {
  private readonly inPlace: boolean;
  private percent = 0;
  private description = '';
  /** The last thing written, '' before the first. */
  private shown = '';
  private finished = false;

  constructor(
    private readonly out: ProgressOutput,
    env: Environment = process.env,
  ) {
    this.inPlace = out.isTTY && env.TERM !== 'dumb';
  }

  update(percent: number | null, description: string | null): void {
    if (this.finished) return;
    if (percent) this.percent = Math.min(100, Math.max(0, percent)); // neither null, 0 nor NaN
    this.description = this.oneLine(description ?? '') || this.description;
    const text = this.inPlace ? this.lines() : this.line();
    if (text !== this.shown) this.show(text);
  }

  finish(success: boolean): void {
    if (this.finished) return;
    this.finished = true;
    if (!this.inPlace || this.shown === '') return;
    if (success) {
      this.percent = 100;
      this.show(this.lines());
    }
    this.out.write('\n');
  }

  private show(text: string): void {
    // The cursor stays behind the second line. A terminal made narrower since the last draw may
    // have broken the lines; what is left of them above is not hunted for, it is not ours for sure.
    const erase = this.inPlace && this.shown !== '' ? '\r\x1b[2K\x1b[1A\x1b[2K' : '';
    this.out.write(erase + text);
    this.shown = text;
  }

  private oneLine(description: string): string {
    const trimmed = description.trim();
    const line = this.inPlace
      ? (trimmed.split(/[\r\n]/, 1)[0] ?? '')
      : trimmed.replace(/\r\n|[\r\n]/g, ' ');
    return this.out.isTTY ? stripControls(line).trim() : line;
  }

  private line(): string {
    const percent = this.percent.toFixed(2);
    return `Status: ${this.description || '(none)'}  Total Progress: ${percent}%\n`;
  }

  private lines(): string {
    const width = roomOf(this.out.columns);
    return `${cut(`Status: ${this.description || '(none)'}`, width)}\n${this.bar(width)}`;
  }

  private bar(width: number): string {
    const percent = `${this.percent.toFixed(2)}%`;
    const cells = Math.min(CELLS, width - `Total Progress: [] ${percent}`.length);
    if (cells < FEWEST_CELLS) return cut(percent, width);
    const filled = Math.floor((this.percent / 100) * cells);
    return `Total Progress: [${'#'.repeat(filled)}${'_'.repeat(cells - filled)}] ${percent}`;
  }
}

/** Each new description on a line of its own, and nothing else. */
export class DescriptionLines implements ProgressView {
  private last = '';

  constructor(private readonly out: ProgressOutput) {}

  update(_percent: number | null, description: string | null): void {
    if (!description || description === this.last) return;
    this.last = description;
    const text = this.out.isTTY ? stripControls(description) : description;
    if (text !== '') this.out.write(`${text}\n`);
  }

  finish(): void {
    // the last description stands as it is
  }
}

/** Columns of a terminal's line: one less than there are, since a full last one makes some terminals wrap. */
export function roomOf(columns: number | undefined): number {
  return Math.max(1, (columns || 80) - 1);
}

/** The first code points. A wide character counts as one: too rare here for a table of widths. */
export function cut(text: string, width: number): string {
  return Array.from(text.slice(0, 2 * width))
    .slice(0, width)
    .join('');
}
