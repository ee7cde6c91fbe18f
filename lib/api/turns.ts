/** How many of a kind are under way at once. */

/** The server merges a job that comes while five wait to begin. */
export const MOST_UPLOADS = 4;

/** So many at once; the others wait. */
export class Turns {
  private taken = 0;
  private readonly queue: (() => void)[] = [];

  constructor(private readonly most: number) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.taken >= this.most) await new Promise<void>((go) => this.queue.push(go));
    else this.taken++;
    try {
      return await work();
    } finally {
      const next = this.queue.shift();
      if (next) next();
      else this.taken--;
    }
  }
}
