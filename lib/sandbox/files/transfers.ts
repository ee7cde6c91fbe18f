/** Files on their way over HTTP: the downloads that wait to be fetched, and what tests do to transfers. */
import type { Pipe } from './pipe.js';

/** How the server keeps and serves files. Tests set it, because they can't wait for a minute. */
export interface FileOptions {
  /** How long a download waits to be fetched, in ms; 60,000 unless given. */
  readonly fetchWithinMs?: number | undefined;
  /** The same of a buffered one; 3,600,000 unless given. */
  readonly fetchBufferedWithinMs?: number | undefined;
  /** How many bytes its file system has room for; 64 MiB unless given. */
  readonly capacity?: number | undefined;
}

/** What goes wrong with transfers, those under way included. A member left out is not a fault. */
export interface FileFault {
  /** Downloads and uploads are answered with this HTTP status, and nothing is looked at. */
  readonly refuse?: number;
  /** The connection breaks when so many bytes of the body have passed. */
  readonly cutAfter?: number;
  /** Nothing passes any more after so many bytes of the body, until there is no such fault. */
  readonly stallAfter?: number;
  /** The name that downloads are said to have. */
  readonly filename?: string;
}

/** Thrown in a transfer that is cut. */
class Cut extends Error {}

/** One download or upload that is being served. */
export class Transfer {
  private passed = 0;

  constructor(
    private readonly transfers: Transfers,
    /** Breaks its connection. */
    readonly cut: () => void,
  ) {}

  /** How much of a piece may pass, at least one byte. Waits while the transfer stalls; throws when it is cut. */
  async allow(length: number): Promise<number> {
    for (;;) {
      const { cutAfter = Infinity, stallAfter = Infinity } = this.transfers.fault;
      if (this.passed >= cutAfter) throw new Cut('the transfer is cut');
      const allowed = Math.min(length, cutAfter - this.passed, stallAfter - this.passed);
      if (allowed > 0) {
        this.passed += allowed;
        return allowed;
      }
      await this.transfers.faultChanges();
    }
  }
}

export class Transfers {
  fault: FileFault = {};
  private readonly waiting = new Map<
    number,
    { readonly pipe: Pipe; readonly timer: NodeJS.Timeout }
  >();
  private readonly open = new Set<Transfer>();
  private readonly changes: (() => void)[] = [];

  constructor(private readonly options: FileOptions = {}) {}

  /** A download may be fetched, for a while. Its pipe is closed afterwards. */
  offer(jobId: number, pipe: Pipe, isBuffered: boolean): void {
    const { fetchWithinMs = 60_000, fetchBufferedWithinMs = 3_600_000 } = this.options;
    const expire = (): void => {
      this.waiting.delete(jobId);
      pipe.close();
    };
    const timer = setTimeout(expire, isBuffered ? fetchBufferedWithinMs : fetchWithinMs);
    timer.unref();
    this.claim(jobId); // two callers may share a job
    this.waiting.set(jobId, { pipe, timer });
  }

  /** The pipe of a download, once; null when it was fetched, or not in time. */
  claim(jobId: number): Pipe | null {
    const found = this.waiting.get(jobId);
    if (found === undefined) return null;
    clearTimeout(found.timer);
    this.waiting.delete(jobId);
    return found.pipe;
  }

  begin(cut: () => void): Transfer {
    const transfer = new Transfer(this, cut);
    this.open.add(transfer);
    return transfer;
  }

  finish(transfer: Transfer): void {
    this.open.delete(transfer);
  }

  setFault(fault: FileFault): void {
    this.fault = fault;
    for (const changed of this.changes.splice(0)) changed();
  }

  faultChanges(): Promise<void> {
    return new Promise((resolve) => this.changes.push(resolve));
  }

  cutAll(): void {
    for (const { cut } of this.open) cut();
  }

  /** For the sandbox's own end. */
  end(): void {
    for (const jobId of [...this.waiting.keys()]) this.claim(jobId)?.close();
    this.cutAll();
    this.setFault({ cutAfter: 0 });
  }
}
