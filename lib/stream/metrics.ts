/** What the daemon's calls came to: how many, and how long they took. */

/** Of the calls looked at for percentiles: the last ones. */
const KEPT = 1024;

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

export class Metrics {
  /** Answered with a result; and with an error, whosever it was. */
  served = 0;
  failed = 0;
  private readonly durations = new Float64Array(KEPT);

  /** A call is over, `milliseconds` after it was sent. */
  count(milliseconds: number, succeeded: boolean): void {
    this.durations[(this.served + this.failed) % KEPT] = milliseconds;
    if (succeeded) this.served++;
    else this.failed++;
  }

  /** Of the last calls, in milliseconds; null before the first. */
  percentiles(): Percentiles | null {
    const known = Math.min(KEPT, this.served + this.failed);
    if (known === 0) return null;
    const sorted = this.durations.slice(0, known).sort();
    const at = (share: number) => round(sorted[Math.ceil(share * known) - 1] ?? 0);
    return { p50: at(0.5), p90: at(0.9), p99: at(0.99) };
  }
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100;
}
