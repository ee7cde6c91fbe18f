/** The daemon's log: NDJSON, one event a line, in a file of its own (0600) or on stderr. */
import fs from 'node:fs';
import path from 'node:path';
import ndjson from 'ndjson';
import { systemReason } from '../errors.js';
import type { Level, Log } from '../logger.js';
import type { DaemonPaths } from '../paths.js';
import { ensurePrivateDirectory } from './files.js';

export interface DaemonLog {
  readonly log: Log;
  /** Where it goes; null is stderr. */
  readonly file: string | null;
  /** Resolves when everything logged is written. */
  close(): Promise<void>;
}

/** The log of a daemon with these paths: `file`, by default its own in a private directory. */
export function openDaemonLog(
  paths: DaemonPaths,
  file: string | null,
  stderr: NodeJS.WritableStream,
  least: Level,
): DaemonLog {
  if (file === null) {
    ensurePrivateDirectory(paths.directory);
    ensurePrivateDirectory(path.dirname(paths.log));
  }
  return openLog(file ?? paths.log, stderr, least);
}

const LEVELS: Record<Level, number> = { debug: 0, info: 1, warning: 2, error: 3 };

/**
 * Opens `file`, or stderr where `file` is `-` or can't be written; the latter is said on stderr
 * and in the log.
 */
export function openLog(
  file: string,
  stderr: NodeJS.WritableStream,
  least: Level = 'info',
): DaemonLog {
  const target = file === '-' ? null : path.resolve(file);
  let descriptor: number | null = null;
  let failure: string | null = null;
  if (target !== null) {
    try {
      descriptor = fs.openSync(target, 'a', 0o600);
    } catch (error) {
      failure = systemReason(error);
      stderr.write(`Cannot write the log file ${target}: ${failure}. Logging to stderr.\n`);
    }
  }
  const lines = ndjson.stringify();
  const sink: NodeJS.WritableStream =
    descriptor === null ? stderr : fs.createWriteStream('', { fd: descriptor, flags: 'a' });
  const isFile = descriptor !== null;
  // Listened for from the start: a sink that fails has closed long before the end.
  const written = new Promise<void>((resolve) => {
    if (isFile) sink.once('close', resolve);
    else lines.once('end', resolve);
  });
  lines.pipe(sink, { end: isFile });
  const giveUp = (error: Error) => {
    lines.unpipe(sink).resume();
    if (isFile) stderr.write(`Cannot write the log file ${file}: ${systemReason(error)}\n`);
  };
  sink.on('error', giveUp);
  const log: Log = (level, event, fields) => {
    if (LEVELS[level] < LEVELS[least] || lines.writableEnded) return;
    lines.write({ time: new Date().toISOString(), level, event, pid: process.pid, ...fields });
  };
  if (failure !== null) log('warning', 'log file not writable', { file, error: failure });
  return {
    log,
    file: isFile ? target : null,
    async close() {
      lines.end();
      await written;
      if (!isFile) sink.off('error', giveUp); // stderr outlives this log
    },
  };
}
