/** The server's own account of a soak: what it ran, in order. Read as it grows. */
import fs from 'node:fs';
import type { Ledger } from './soak-ledger.js';
import { keyOf } from './soak-requests.js';

const PIECE = 1 << 20;

interface Line {
  readonly method: string;
  readonly params?: readonly unknown[];
}

export class ServerJournal {
  /** The numbers of the events that were sent, in that order. */
  readonly emitted: number[] = [];
  /** How often somebody logged in. */
  logins = 0;
  calls = 0;
  private at = 0;
  private rest = Buffer.alloc(0);

  constructor(
    private readonly path: string,
    private readonly ledger: Ledger,
  ) {}

  /** Takes in what has been written since. */
  read(): void {
    const file = fs.openSync(this.path, 'r');
    const piece = Buffer.alloc(PIECE);
    for (;;) {
      const count = fs.readSync(file, piece, 0, PIECE, this.at);
      if (count === 0) break;
      this.at += count;
      const text = Buffer.concat([this.rest, piece.subarray(0, count)]);
      const end = text.lastIndexOf(10) + 1;
      this.rest = Buffer.from(text.subarray(end));
      for (const line of text.toString('utf8', 0, end).split('\n')) if (line) this.take(line);
    }
    fs.closeSync(file);
  }

  private take(line: string): void {
    const { method, params = [] } = JSON.parse(line) as Line;
    if (method.startsWith('auth.login')) this.logins++;
    if (!method.startsWith('test.')) return;
    this.calls++;
    this.ledger.ran(keyOf(method, params), line);
    const fields = params[1] as { readonly number: number } | null | undefined;
    if (method === 'test.emit' && fields) this.emitted.push(fields.number);
  }
}
