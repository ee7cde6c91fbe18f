/** One line on a terminal's stderr that says how far a batch is, redrawn in place. */
import { cut, roomOf } from '../output/progress.js';
import { timeText } from '../output/table.js';

export interface StatusOutput {
  /** Of the terminal, read at every draw. */
  readonly columns: number | undefined;
  write(text: string): void;
}

/** How far it is. */
export interface Progress {
  readonly done: number;
  /** Of those, without a result. */
  readonly failed: number;
  readonly unknown: number;
  /** Of the input, 0 to 1; null where its size isn't known. */
  readonly part: number | null;
}

/** Milliseconds until a batch is long enough to be told about, and between two draws. */
const BEGIN = 1000;
const EVERY = 250;
/** Draws over which the rate is taken: ten seconds. */
const SPAN = 40;
const ERASE = '\r\x1b[2K';

interface Sample extends Progress {
  readonly at: number;
}

export class StatusLine {
  private timer: NodeJS.Timeout | null = null;
  private shown = false;
  /** Who has the terminal to themselves. */
  private others = 0;
  private readonly began: number;
  private readonly samples: Sample[] = [];

  /** `now` is in milliseconds. */
  constructor(
    private readonly out: StatusOutput,
    private readonly progress: () => Progress,
    private readonly now: () => number,
  ) {
    this.began = now();
  }

  start(): void {
    this.samples.push({ ...this.progress(), at: this.now() });
    this.go(BEGIN);
  }

  /** For what is printed by others, which then stands where the line was. Drawn again when it is time. */
  erase(): void {
    if (this.shown) this.out.write(ERASE);
    this.shown = false;
  }

  /** While others have the terminal. */
  async aside<T>(action: () => Promise<T>): Promise<T> {
    this.others++;
    this.erase();
    try {
      return await action();
    } finally {
      this.others--;
    }
  }

  /** Leaves a last line, if there ever was one. */
  end(): void {
    this.stop();
    if (this.samples.length < 2) return;
    const progress = this.progress();
    const seconds = (this.now() - this.began) / 1000;
    const text = `${counted(progress)} in ${timeText(seconds)}, ${perSecond(progress.done / seconds)}`;
    this.out.write(`${ERASE}${this.cut(text)}\n`);
    this.shown = false;
  }

  /** For tests: draws. */
  draw(): void {
    const sample: Sample = { ...this.progress(), at: this.now() };
    const [first = sample] = this.samples;
    this.samples.push(sample);
    if (this.samples.length > SPAN) this.samples.shift();
    const seconds = (sample.at - first.at) / 1000;
    const rate = seconds > 0 ? (sample.done - first.done) / seconds : 0;
    const words = [counted(sample), perSecond(rate)];
    if (sample.part !== null && first.part !== null) {
      const gained = sample.part - first.part;
      const left = gained > 0 ? ((1 - sample.part) / gained) * seconds : null;
      words.push(`${Math.floor(sample.part * 100)}%`);
      if (left !== null) words.push(`${timeText(left)} left`);
    }
    this.out.write(`${ERASE}${this.cut(words.join(', '))}`);
    this.shown = true;
  }

  private go(delay: number): void {
    this.timer = setTimeout(() => {
      if (this.others === 0) this.draw();
      this.go(EVERY);
    }, delay);
    this.timer.unref();
  }

  private stop(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private cut(text: string): string {
    return cut(text, roomOf(this.out.columns));
  }
}

function counted({ done, failed, unknown }: Progress): string {
  const doubt = unknown > 0 ? `, ${grouped(unknown)} of unknown outcome` : '';
  return `${grouped(done)} done, ${grouped(failed)} failed${doubt}`;
}

function perSecond(rate: number): string {
  return `${grouped(Math.round(rate))}/s`;
}

function grouped(number: number): string {
  return String(number).replace(/\B(?=(?:\d{3})+$)/g, ',');
}
