/** What a transfer shows on a terminal's stderr: a line, redrawn in place, of bytes, rate and time left. */
import { stripControls } from '../../text/terminal.js';
import { steadyNow } from '../../timer.js';
import { isTerminal, writeErr } from './output.js';
import { cut, roomOf } from './progress.js';
import { timeText } from './table.js';

/** Milliseconds between two draws. */
const PACE = 250;
/** Milliseconds over which the rate is taken. */
const SPAN = 5000;
const MISSING = '-:--';
const CELLS = 20;

/** What there is to show of a job beside its bytes. */
interface Job {
  readonly percent: number | null;
  readonly description: string | null;
}

export class TransferView {
  private readonly began = steadyNow();
  private bytes = 0;
  private job: Job = { percent: null, description: null };
  private readonly samples: { readonly at: number; readonly bytes: number }[] = [];
  private readonly timer: NodeJS.Timeout | undefined;
  private isShown = false;

  /** `total` is the bytes that there will be, null where nobody knows. Shows nothing where `isQuiet`. */
  constructor(
    private readonly name: string,
    private readonly total: number | null,
    isQuiet: boolean,
  ) {
    if (isQuiet || !isTerminal() || process.env.TERM === 'dumb') return;
    this.timer = setInterval(() => {
      this.draw();
    }, PACE);
  }

  add(count: number): void {
    this.bytes += count;
  }

  onJob(percent: number | null, description: string | null): void {
    this.job = { percent, description };
  }

  /** Leaves the last line as it is, and the cursor below it. */
  finish(): void {
    clearInterval(this.timer);
    if (!this.isShown) return;
    this.draw();
    writeErr('\n');
    this.isShown = false;
  }

  private draw(): void {
    const now = steadyNow();
    this.samples.push({ at: now, bytes: this.bytes });
    while (this.samples.length > 2 && now - (this.samples[0]?.at ?? now) > SPAN)
      this.samples.shift();
    writeErr(`\r\x1b[2K${cut(this.line(), roomOf(process.stderr.columns))}`);
    this.isShown = true;
  }

  private line(): string {
    const { bytes, total, job } = this;
    const rate = this.rate();
    const share = this.share();
    const size = total === null ? bytesText(bytes) : `${bytesText(bytes)} of ${bytesText(total)}`;
    const left = this.left(rate, share);
    const words = [
      stripControls(this.name),
      ...(share === null ? [] : [`[${bar(share)}] ${Math.floor(100 * share)}%`]),
      size,
      `${bytesText(rate)}/s`,
      ...(share === null ? [] : [`${left === null ? MISSING : timeText(left)} left`]),
      stripControls(job.description ?? '').trim(),
    ];
    return words.filter((word) => word !== '').join('  ');
  }

  /** What is done of all, from 0 to 1; null where nobody knows. */
  private share(): number | null {
    const { bytes, total, job } = this;
    if (total !== null) return total === 0 ? 1 : Math.min(1, bytes / total);
    // Zero is what a job says that counts nothing.
    return job.percent ? Math.min(1, Math.max(0, job.percent / 100)) : null;
  }

  /** Seconds. */
  private left(rate: number, share: number | null): number | null {
    const { bytes, total } = this;
    if (total !== null) return rate === 0 ? null : Math.max(0, total - bytes) / rate;
    return share === null ? null : ((steadyNow() - this.began) * (1 / share - 1)) / 1000;
  }

  /** Bytes a second. */
  private rate(): number {
    const [first] = this.samples;
    const last = this.samples.at(-1);
    if (!first || !last || last.at === first.at) return 0;
    return (1000 * (last.bytes - first.bytes)) / (last.at - first.at);
  }
}

function bar(share: number): string {
  const filled = Math.floor(share * CELLS);
  return '#'.repeat(filled) + '_'.repeat(CELLS - filled);
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

function bytesText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[power] ?? ''}`;
}
