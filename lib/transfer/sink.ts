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
import { behind, MOST_LINKS, moveToNew, withoutLinks } from '../files/kept.js';

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

  /**
   * What is there already and takes what comes: a device, a pipe, or what a descriptor of this process leads to. Null
   * for a file or a folder, also one that is to be made. Resolves when somebody reads the pipe.
   */
  static async open(target: string): Promise<Sink | null> {
    try {
      withoutLinks(target); // may it be followed?
      const descriptor = descriptorOf(target);
      if (descriptor !== null) return new Sink(descriptor, target);
      const stat = fs.statSync(target, { throwIfNoEntry: false });
      if (!stat || stat.isFile() || stat.isDirectory()) return null;
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

/** Where the system shows this process its open descriptors, as links to what they lead to. */
const DESCRIPTORS = '/dev/fd';
const STDERR = 2;

/**
 * The open descriptor that a path leads to, as `/dev/stdout` does. Behind a redirection that path leads on to a file: to
 * replace it would lose what is in it (`>>`), and what else the shell has written there. Null for any other path. Throws
 * a system error.
 */
function descriptorOf(target: string): number | null {
  if (!fs.existsSync(DESCRIPTORS)) return null;
  const shown = fs.realpathSync(DESCRIPTORS);
  let at = path.resolve(target);
  for (let left = MOST_LINKS; left > 0; left--) {
    const folder = path.dirname(at);
    const name = path.basename(at);
    if (!fs.existsSync(folder)) return null;
    if (/^\d+$/.test(name) && fs.realpathSync(folder) === shown) return usable(Number(name));
    if (!fs.lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink()) return null;
    at = behind(at);
  }
  return null;
}

/** Beyond stderr there are also pipes that Node has made for itself. */
function usable(descriptor: number): number | null {
  try {
    return fs.fstatSync(descriptor).isFile() || descriptor <= STDERR ? descriptor : null;
  } catch {
    return null; // it is not open
  }
}
