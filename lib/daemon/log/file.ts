/**
 * A log file that is written line by line and kept small: when it is full it becomes `FILE.1`, that
 * one `FILE.2`, and so on; the oldest is removed. Owns the descriptor.
 *
 * Another program may do the same (logrotate) or remove the file, so every so often the path is
 * looked at: what stands there must be the file that is open.
 */
import fs from 'node:fs';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { MidcltError, systemReason } from '../../errors.js';
import { openToWrite } from '../../files/kept.js';
import { steadyNow } from '../../timer.js';

/** The flags with which something is opened that may be a pipe or a terminal: to open it waits for no reader. */
export const PIPE_FLAGS = fs.constants.O_NONBLOCK | fs.constants.O_NOCTTY;

const write = promisify(fs.write);

/** The mode of every log: who can read one learns what is called, and when. */
const MODE = 0o600;
const NOTHING = Buffer.alloc(0);

export interface LogFileOptions {
  /** Bytes a file may have, if one line has not more. */
  readonly maxBytes: number;
  /** How many full ones are kept. */
  readonly keep: number;
  /** Milliseconds between two looks at the path. */
  readonly lookEvery: number;
  /** Milliseconds without a try after one that failed. */
  readonly retryAfter: number;
  /** The line that tells how many could not be written. */
  readonly lostLine: (lines: number) => Buffer;
  /** Hears why nothing can be written, or not renamed; each only once. */
  readonly onTrouble: (what: 'write' | 'rotate', error: unknown) => void;
}

interface Opened {
  readonly descriptor: number;
  readonly stats: fs.Stats;
}

/**
 * Opens a file for a log, whatever it is, and waits for no reader of it; a regular one that is there is made 0600.
 * Throws a system error.
 */
export function openForLog(file: string, flags = 0): Opened {
  const descriptor = openToWrite(file, fs.constants.O_APPEND | PIPE_FLAGS | flags, MODE);
  try {
    const stats = fs.fstatSync(descriptor);
    if (stats.isFile())
      tighten(stats, () => {
        fs.fchmodSync(descriptor, MODE);
      });
    return { descriptor, stats };
  } catch (error) {
    fs.closeSync(descriptor);
    throw error;
  }
}

/**
 * Opens the default log file: it must be a regular file of one's own, no link, for the
 * directory may have been open to others before. Throws a `FILES` or a system error.
 */
export function openOwnLog(file: string): Opened {
  const stats = fs.lstatSync(file, { throwIfNoEntry: false });
  if (stats?.isSymbolicLink()) throw unfit('it is a symbolic link; remove it');
  if (stats && !stats.isFile()) throw unfit('it is no regular file; remove it');
  if (stats && stats.uid !== process.geteuid?.()) {
    throw unfit(`it belongs to user ${stats.uid}, not to you; remove it`);
  }
  // Does not follow what has taken its place by now.
  const opened = openForLog(file, fs.constants.O_NOFOLLOW);
  if (opened.stats.isFile()) return opened;
  fs.closeSync(opened.descriptor);
  throw unfit('it is no regular file; remove it');
}

export class LogFile extends Writable {
  private size: number;
  private lookedAt = steadyNow();
  /** The rest of a line that could be written only in part. */
  private rest: Buffer = NOTHING;
  /** Lines that could not be written since the last that could. */
  private lost = 0;
  private triedAt = -Infinity;
  private notRotatedAt = -Infinity;
  private readonly told = new Set<string>();

  /** `file` is the path, `opened` what was found there; `reopen` opens what is there by then. */
  constructor(
    private readonly file: string,
    private opened: Opened,
    private readonly reopen: (file: string) => Opened,
    private readonly options: LogFileOptions,
  ) {
    super({ decodeStrings: true });
    this.size = opened.stats.size;
    if (isCut(file, this.size)) this.rest = Buffer.from('\n');
  }

  override _write(line: Buffer, _encoding: BufferEncoding, done: () => void): void {
    void this.append(line).then(() => {
      done();
    });
  }

  /** Writes a line before it returns, ahead of those that wait; throws a system error. */
  writeNow(line: Buffer): void {
    if (this.destroyed) return;
    const cut = this.rest.length > 0 ? [Buffer.from('\n')] : [];
    fs.writeSync(this.opened.descriptor, Buffer.concat([...cut, line]));
  }

  override _final(done: () => void): void {
    this.triedAt = -Infinity; // the last chance
    void this.append(NOTHING).then(() => {
      done();
    });
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    fs.close(this.opened.descriptor, () => {
      done(error);
    });
  }

  /** Never rejects: without room or disk the daemon goes on, and logs again when it can. */
  private async append(line: Buffer): Promise<void> {
    const now = steadyNow();
    if (this.lost > 0 && now - this.triedAt < this.options.retryAfter) {
      this.lost++;
      return;
    }
    this.triedAt = now;
    let begun = false;
    try {
      await this.put(this.rest, true);
      if (line.length > 0) this.makeRoom(line.length);
      if (this.lost > 0) await this.put(this.options.lostLine(this.lost));
      this.lost = 0;
      begun = true;
      await this.put(line);
    } catch (error) {
      if (!begun || this.rest.length === 0) this.lost++;
      this.tell('write', error);
    }
  }

  /** Rejects if not all of it was written; what was begun is kept in `rest`. */
  private async put(text: Buffer, begun = false): Promise<void> {
    let done = 0;
    try {
      while (done < text.length) {
        const { bytesWritten } = await write(this.opened.descriptor, text, done);
        done += bytesWritten;
      }
    } finally {
      this.size += done;
      this.rest = begun || done > 0 ? text.subarray(done) : NOTHING;
    }
  }

  /** Between two lines: goes on in another file where it has to. */
  private makeRoom(bytes: number): void {
    const { maxBytes, lookEvery, retryAfter } = this.options;
    const now = steadyNow();
    const isFull = this.size > 0 && this.size + bytes > maxBytes;
    if (now - this.lookedAt < lookEvery && !isFull) return;
    if (now - this.notRotatedAt < retryAfter) return;
    this.lookedAt = now;
    try {
      if (this.isStillThere()) {
        if (this.size === 0 || this.size + bytes <= maxBytes) return; // others write, or cut it, too
        shift(this.file, this.options.keep);
      }
      this.change();
    } catch (error) {
      this.notRotatedAt = now; // the file that is open takes the lines meanwhile
      this.tell('rotate', error);
    }
  }

  /** Is what stands at the path the file that is open? */
  private isStillThere(): boolean {
    const found = fs.lstatSync(this.file, { throwIfNoEntry: false });
    const { dev, ino } = this.opened.stats;
    if (found?.dev !== dev || found.ino !== ino) return false;
    this.size = found.size;
    return true;
  }

  private change(): void {
    const old = this.opened.descriptor;
    this.opened = this.reopen(this.file);
    this.size = this.opened.stats.size;
    fs.closeSync(old);
  }

  private tell(what: 'write' | 'rotate', error: unknown): void {
    if (this.told.has(what)) return;
    this.told.add(what);
    this.options.onTrouble(what, error);
  }
}

/** `FILE` to `FILE.1`, `FILE.1` to `FILE.2`, … Throws a system error. */
function shift(file: string, keep: number): void {
  for (let number = keep; number > 0; number--) {
    const from = number === 1 ? file : `${file}.${number - 1}`;
    const stats = fs.lstatSync(from, { throwIfNoEntry: false });
    if (!stats?.isFile()) continue;
    tighten(stats, () => {
      fs.chmodSync(from, MODE);
    });
    fs.renameSync(from, `${file}.${number}`);
  }
}

/** Does the file end within a line? Its writer died, or the disk was full. */
function isCut(file: string, size: number): boolean {
  if (size === 0) return false;
  try {
    const descriptor = fs.openSync(file, 'r');
    try {
      const last = Buffer.alloc(1);
      return fs.readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a;
    } finally {
      fs.closeSync(descriptor);
    }
  } catch {
    return false; // a file that may only be written
  }
}

function tighten({ mode }: fs.Stats, change: () => void): void {
  if ((mode & 0o077) === 0) return;
  try {
    change();
  } catch (error) {
    // Somebody may choose another user's file for the log.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}

function unfit(reason: string): MidcltError {
  return new MidcltError('FILES', reason);
}

/** Why a file can't be opened, in words. */
export function reasonOf(error: unknown): string {
  return error instanceof MidcltError ? error.message : systemReason(error);
}
