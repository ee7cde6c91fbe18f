/** The daemon's log: NDJSON, one event a line, in a file of its own (0600) or on stderr. */
import fs from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import ndjson from 'ndjson';
import { systemReason } from '../../errors.js';
import type { DaemonPaths } from '../../files/paths.js';
import type { Level, Log } from '../../logger.js';
import { ensurePrivateDirectory } from '../files.js';
import {
  LogFile,
  PIPE_FLAGS,
  openForLog,
  openOwnLog,
  reasonOf,
  type LogFileOptions,
} from './file.js';

export interface DaemonLog {
  readonly log: Log;
  /** Writes before it returns, for a process that may not live on. Throws a system error. */
  readonly logNow: Log;
  /** Where the log goes; null is stderr. */
  readonly file: string | null;
  /** Resolves when everything logged is written, or nobody takes it. */
  readonly close: () => Promise<void>;
}

/** When a log file is full, and how many full ones are kept. */
export type Rotation = Pick<LogFileOptions, 'maxBytes' | 'keep' | 'lookEvery' | 'retryAfter'>;

const ROTATION: Rotation = {
  maxBytes: 10 * 1024 * 1024,
  keep: 3,
  lookEvery: 1000,
  retryAfter: 1000,
};

interface LogOptions {
  readonly stderr: NodeJS.WritableStream;
  /** The least level that is written. Default: `info`. */
  readonly least?: Level;
  readonly rotation?: Partial<Rotation>;
}

/** Where lines go. A regular file is rotated; what else was chosen is written to as it is. */
interface Sink {
  readonly stream: NodeJS.WritableStream & { writeNow?(line: Buffer): void };
  /** Null is stderr. */
  readonly file: string | null;
}

/**
 * The log of a daemon with these paths: `file`, by default its own in a private directory, or
 * stderr where it can't be written. Throws a `FILES` error for a directory that can't be trusted.
 */
export function openDaemonLog(
  paths: DaemonPaths,
  file: string | null,
  options: LogOptions,
): DaemonLog {
  if (file !== null) return openLog(file, options);
  ensurePrivateDirectory(paths.directory);
  const open = (file: string) => {
    // Somebody may have removed it since. Not with what is above it: then the daemon is to leave nothing behind.
    if (fs.existsSync(paths.directory)) ensurePrivateDirectory(path.dirname(file));
    return openOwnLog(file);
  };
  return start(paths.log, options, () => rotated(paths.log, open, options));
}

/**
 * Opens `file`, or stderr where `file` is `-` or can't be written; the latter is said on stderr
 * and in the log.
 */
export function openLog(file: string, options: LogOptions): DaemonLog {
  if (file === '-') return start(file, options, () => stderrOf(options));
  const target = path.resolve(file);
  return start(target, options, () => {
    const opened = openForLog(target);
    const { descriptor } = opened;
    if (opened.stats.isFile()) {
      fs.closeSync(descriptor);
      // What a link leads to is what is renamed; its files stand beside it.
      return { ...rotated(fs.realpathSync(target), openForLog, options), file: target };
    }
    return { stream: new LogPipe(descriptor), file: target };
  });
}

const LOST = 'log lines lost';
/** Lines that wait for the disk, or for a reader; those that come then are lost. */
const MOST_WAITING = 10_000;
/** Milliseconds in which what is left is written at the end. */
const PATIENCE = 3000;

const LEVELS: Record<Level, number> = { debug: 0, info: 1, warning: 2, error: 3 };

function start(file: string, options: LogOptions, open: () => Sink): DaemonLog {
  const { stderr, least = 'info' } = options;
  let sink = stderrOf(options);
  let failure: string | null = null;
  try {
    sink = open();
  } catch (error) {
    failure = reasonOf(error);
    stderr.write(`Cannot write the log file ${file}: ${failure}. Logging to stderr.\n`);
  }
  const { stream } = sink;
  const isFile = sink.file !== null;
  const lines = ndjson.stringify();
  let ended = false; // connections may end later still
  // Listened for from the start: a sink that fails has closed long before the end.
  const written = new Promise<void>((resolve) => {
    if (isFile) stream.once('close', resolve);
    else lines.once('end', resolve);
  });
  lines.pipe(stream, { end: isFile });
  const giveUp = (error: Error) => {
    lines.unpipe(stream).resume();
    if (isFile) stderr.write(`Cannot write the log file ${file}: ${systemReason(error)}\n`);
  };
  stream.on('error', giveUp);
  let lost = 0;
  const tellLost = () => {
    if (lost === 0 || ended) return;
    lines.write(record('warning', LOST, { lines: lost }));
    lost = 0;
  };
  lines.on('drain', tellLost);
  const log: Log = (level, event, fields) => {
    if (LEVELS[level] < LEVELS[least] || ended) return;
    if (lost > 0 || lines.writableLength >= MOST_WAITING) lost++;
    else lines.write(record(level, event, fields));
  };
  if (failure !== null) log('warning', 'log file not writable', { file, error: failure });
  return {
    log,
    logNow(level, event, fields) {
      const line = Buffer.from(`${JSON.stringify(record(level, event, fields))}\n`);
      if (stream.writeNow) stream.writeNow(line);
      else stream.write(line);
    },
    file: sink.file,
    async close() {
      tellLost();
      ended = true;
      lines.end();
      await inTime(written);
      if (!isFile) stream.off('error', giveUp); // stderr outlives this log
    },
  };
}

/** Resolves when `written` does, or after {@link PATIENCE}. */
async function inTime(written: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, PATIENCE)));
  await Promise.race([written, over]);
  clearTimeout(timer);
}

/** A terminal is opened again, without blocking: while it is stopped (Ctrl-S) a write would stop the process. */
function stderrOf({ stderr }: LogOptions): Sink {
  const { isTTY } = stderr as Partial<NodeJS.WriteStream>;
  if (stderr !== process.stderr || !isTTY) return { stream: stderr, file: null };
  try {
    const descriptor = fs.openSync('/dev/fd/2', fs.constants.O_WRONLY | PIPE_FLAGS);
    return { stream: new LogPipe(descriptor), file: null };
  } catch {
    return { stream: stderr, file: null };
  }
}

function record(...[level, event, fields]: Parameters<Log>): object {
  return { time: new Date().toISOString(), level, event, pid: process.pid, ...fields };
}

function rotated(
  file: string,
  open: typeof openOwnLog,
  { stderr, rotation }: LogOptions,
): Sink & { readonly file: string } {
  const stream = new LogFile(file, open(file), open, {
    ...ROTATION,
    ...rotation,
    lostLine: (count) =>
      Buffer.from(`${JSON.stringify(record('warning', LOST, { lines: count }))}\n`),
    onTrouble(what, error) {
      const done = what === 'write' ? 'write' : 'rotate';
      stderr.write(`Cannot ${done} the log file ${file}: ${reasonOf(error)}\n`);
    },
  });
  return { stream, file };
}

/** Milliseconds between two tries while there is no room. */
const RETRY = 20;

/**
 * Writes a log to what has a reader: a named pipe, a terminal, another device. It never waits for that reader in a
 * system call, not on a thread either: the process could not end before.
 */
class LogPipe extends Writable {
  private timer: NodeJS.Timeout | undefined;

  /** `descriptor` was opened with {@link PIPE_FLAGS} and is this stream's from now on. */
  constructor(private readonly descriptor: number) {
    super({ decodeStrings: true });
  }

  override _write(text: Buffer, encoding: BufferEncoding, done: (error?: Error) => void): void {
    let written = 0;
    try {
      written = fs.writeSync(this.descriptor, text);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') {
        done(error as Error);
        return;
      }
    }
    if (written === text.length) {
      setImmediate(done); // a long log does not keep the process from its work
      return;
    }
    this.timer = setTimeout(() => {
      this._write(text.subarray(written), encoding, done);
    }, RETRY).unref();
  }

  /** As much as its reader takes. */
  writeNow(line: Buffer): void {
    if (!this.destroyed) fs.writeSync(this.descriptor, line);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.timer);
    fs.close(this.descriptor, () => {
      done(error);
    });
  }
}
