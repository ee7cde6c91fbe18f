/**
 * Where a transfer is written to. A file appears under its name when it is whole: until then it is beside that name, as
 * `.midclt-….part`, and what had the name before is as it was. Its owner alone can read it: a configuration has
 * secrets in it.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { promisify } from 'node:util';
import { MidcltError, unwritable } from '../errors.js';
import { moveToNew, withoutLinks } from '../files/kept.js';

const MODE = 0o600;
/** Milliseconds until a pipe that somebody made non-blocking is tried again. */
const RETRY_DELAY = 5;
/** What file systems say that can't do it. */
const CANNOT_SYNC = new Set(['EINVAL', 'ENOTSUP', 'ENOSYS']);

const write = promisify(fs.write);

/** Writes in the background, so that a slow disk or reader stops nothing else, a signal above all. */
export class Sink extends Writable {
  private pending: Promise<void> = Promise.resolve();

  /** `shown` is its name in errors, which are `FILES`, or `BROKEN_PIPE` when the reader has gone. */
  constructor(
    private readonly descriptor: number,
    private readonly shown: string,
    private readonly isOurs = false,
  ) {
    super();
  }

  /** A device or a pipe, which is there already. Resolves when somebody reads the pipe. */
  static async open(target: string): Promise<Sink> {
    try {
      return new Sink(await promisify(fs.open)(target, 'w'), target, true);
    } catch (error) {
      throw unwritable(target, error);
    }
  }

  get isTerminal(): boolean {
    return isatty(this.descriptor);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.pending = this.writeAll(chunk).then(
      () => {
        done();
      },
      (error: unknown) => {
        done(unwritable(this.shown, error));
      },
    );
  }

  override _final(done: (error?: Error) => void): void {
    if (!this.isOurs) {
      done();
      return;
    }
    fs.fsync(this.descriptor, (error) => {
      const isUnsynced = error && !CANNOT_SYNC.has(error.code ?? '');
      if (isUnsynced) done(unwritable(this.shown, error));
      else done();
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Not under a write: the descriptor's number may be another file's by then.
    void this.pending.then(() => {
      if (!this.isOurs) done(error);
      else {
        fs.close(this.descriptor, () => {
          done(error);
        });
      }
    });
  }

  private async writeAll(chunk: Buffer): Promise<void> {
    for (let from = 0; from < chunk.length;) {
      try {
        from += (await write(this.descriptor, chunk, from, chunk.length - from)).bytesWritten;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        await delay(RETRY_DELAY);
      }
    }
  }
}

export class WholeFile {
  private isOver = false;

  private constructor(
    readonly sink: Sink,
    private readonly partPath: string,
    /** As given, for who reads its path. */
    private readonly directory: string,
    /** Null: it gets one in the end, and takes none that another file has. */
    readonly name: string | null,
  ) {}

  /**
   * `target` is the file, or a folder in which it gets a name in the end. Throws a `FILES` error where nothing can be
   * written. With no `mode` it is for its owner alone.
   */
  static open(target: string, mode = MODE): WholeFile {
    const [directory, name] = placeOf(target);
    const partPath = path.join(directory, `.midclt-${randomBytes(6).toString('hex')}.part`);
    try {
      const sink = new Sink(fs.openSync(partPath, 'wx', mode), target, true);
      return new WholeFile(sink, partPath, name === null ? target : directory, name);
    } catch (error) {
      throw unwritable(target, error);
    }
  }

  /** Throws a `FILES` error if it may not have this name in the end. */
  check(name: string): void {
    const final = path.join(this.directory, name);
    if (this.name === null && fs.lstatSync(final, { throwIfNoEntry: false })) throw taken(final);
  }

  /**
   * Gives what the sink has taken its name, `name` unless it was opened under one. Returns its path. Throws a `FILES`
   * error; then there is no such file, or the one there was.
   */
  commit(name: string): string {
    const final = path.join(this.directory, this.name ?? name);
    try {
      if (this.name === null) moveToNew(this.partPath, final);
      else fs.renameSync(this.partPath, final);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw taken(final);
      throw unwritable(final, error);
    }
    this.isOver = true;
    return final;
  }

  /** Removes what there is of it, unless it has its name. */
  discard(): void {
    if (!this.isOver) fs.rmSync(this.partPath, { force: true });
    this.isOver = true;
    this.sink.destroy();
  }
}

function taken(target: string): MidcltError {
  const text = `${target} exists already, and its name is the server's choice; give a name with -o`;
  return new MidcltError('FILES', text);
}

/** The folder, and the name in it; null where it is to get one. A link leads to where the file is to be. */
function placeOf(target: string): readonly [string, string | null] {
  try {
    const real = withoutLinks(target);
    const stat = fs.statSync(real, { throwIfNoEntry: false });
    if (stat?.isDirectory()) return [real, null];
    if (target === '' || target.endsWith('/')) fs.readdirSync(target); // says why it is no folder
    return [path.dirname(real), path.basename(real)];
  } catch (error) {
    throw unwritable(target, error);
  }
}

/** Is it there, and neither a file nor a folder? */
export function isDevice(target: string): boolean {
  try {
    withoutLinks(target); // may it be followed?
    const stat = fs.statSync(target, { throwIfNoEntry: false });
    return stat !== undefined && !stat.isFile() && !stat.isDirectory();
  } catch (error) {
    throw unwritable(target, error);
  }
}
