/**
 * A daemon that ends of a bug: what nobody has caught is told to its log, to who starts the next daemon (a note in a file,
 * kept until another bug), to its starter if that still waits, and to the clients that wait for answers. Then the process ends.
 */
import fs from 'node:fs';
import { MidcltError, MISTAKE } from '../errors.js';
import { VERSION } from '../protocol/frames.js';
import { bugLine, describeBug, type Bug } from '../text/bug.js';
import { writeFileDurably } from './files.js';
import type { DaemonLog } from './log/log.js';

/** Milliseconds for the clients to be told, and for what else is to be done at the end: a machine that is starved takes its time. */
const PATIENCE = 5000;

/** What is told of a daemon that a bug has ended. */
export interface CrashNote {
  readonly time: string;
  readonly pid: number;
  readonly version: string;
  /** Without the message, which may quote anything: see {@link describeBug}. */
  readonly error: string;
  /** Null is stderr. */
  readonly log: string | null;
  /** Has somebody who started a daemon heard of it? */
  readonly told: boolean;
}

export interface CrashOptions {
  /** Of the note. */
  readonly file: string;
  readonly stderr: NodeJS.WritableStream;
  /** Hears it first, where somebody waits for the daemon's start. */
  readonly onCrash: (error: MidcltError) => void;
}

export class CrashWatch {
  /** Where the log is, once there is one. */
  daemonLog: DaemonLog | null = null;
  /** Called at the end of what is told: has everybody who waits for an answer get an error. */
  endAll: (error: MidcltError) => void = () => undefined;

  private error: MidcltError | null = null;

  constructor(private readonly options: CrashOptions) {}

  /** From now on whatever nobody catches in this process ends the daemon. */
  start(): void {
    process.setUncaughtExceptionCaptureCallback((thrown) => {
      this.crash(thrown);
    });
  }

  /** Ends the process if the daemon has ended of a bug; else nothing is watched for any more. */
  stop(): void {
    if (this.error) process.exit(MISTAKE);
    process.setUncaughtExceptionCaptureCallback(null);
  }

  crash(thrown: unknown): void {
    if (this.error) return; // of a program that goes wrong already
    const bug = describeBug(thrown);
    const file = this.daemonLog?.file ?? null;
    const error = crashError(bug, file);
    this.error = error;
    const { options } = this;
    const steps = [
      () => {
        this.log(bug);
      },
      () => {
        writeNote(options.file, { bug, log: file });
      },
      () => options.stderr.write(`Error: ${error.message}\n`),
      () => {
        options.onCrash(error);
      },
      () => {
        this.endAll(error);
      },
    ];
    for (const step of steps) {
      try {
        step();
      } catch {
        // the others count, too
      }
    }
    // Whatever becomes of the rest; after the steps, since one that waits long for the disk would leave it no turn.
    setTimeout(() => process.exit(MISTAKE), PATIENCE);
  }

  private log({ error, at }: Bug): void {
    this.daemonLog?.logNow('error', 'ended of a bug', { error, at: at.join(' < ') });
  }
}

function crashError(bug: Bug, log: string | null): MidcltError {
  const text = `The daemon ended of a bug of midclt: ${bugLine(bug)}. ${reportIt(log)}`;
  return new MidcltError('NO_DAEMON', text);
}

function writeNote(file: string, { bug, log }: { bug: Bug; log: string | null }): void {
  const note: CrashNote = {
    time: new Date().toISOString(),
    ...{ pid: process.pid, version: VERSION, error: bugLine(bug), log, told: false },
  };
  writeFileDurably(file, `${JSON.stringify(note)}\n`);
}

/** Bytes of a note that are believed. */
const MOST_BYTES = 16 * 1024;

/** What is known of the last daemon that ended of a bug; null if nothing is. */
export function readCrashNote(file: string): CrashNote | null {
  try {
    const stats = fs.lstatSync(file);
    // The directory may have been open to others before.
    const isOwn = stats.uid === process.geteuid?.();
    if (!isOwn || !stats.isFile() || stats.size > MOST_BYTES) return null;
    const note = JSON.parse(fs.readFileSync(file, 'utf8')) as CrashNote;
    return typeof note.time === 'string' && typeof note.error === 'string' ? note : null;
  } catch {
    return null;
  }
}

/** Milliseconds for which those hear of it who look how a daemon is. */
const NEWS = 24 * 60 * 60 * 1000;

/** The same, in one line; null where it is long past. */
export function recentCrash(file: string): string | null {
  const note = readCrashNote(file);
  return note && Math.abs(Date.now() - Date.parse(note.time)) < NEWS ? crashText(note) : null;
}

/** Passes on what nobody has been told yet, and remembers that. */
export function tellCrashOnce(file: string, tell: (note: CrashNote) => void): void {
  const note = readCrashNote(file);
  if (!note || note.told) return;
  tell(note);
  try {
    writeFileDurably(file, `${JSON.stringify({ ...note, told: true })}\n`);
  } catch {
    // it is told again
  }
}

/** In one line. */
export function crashText({ time, pid, error, log }: CrashNote): string {
  return `The last daemon (pid ${pid}) ended of a bug of midclt at ${time}: ${error}. ${reportIt(log)}`;
}

function reportIt(log: string | null): string {
  return `Please report it${log === null ? '' : `; its log, ${log}, has the rest`}`;
}

/** By the file of its note, of each daemon that this process was to start: when the last one ended of a bug, as far as was known. */
const known = new Map<string, string | null>();

/** When the last one ended of a bug, as it is told apart from others; null if nothing is known of one. */
export function timeOfCrash(file: string): string | null {
  return readCrashNote(file)?.time ?? null;
}

/**
 * To be called before a daemon is started. Throws a `NO_DAEMON` error if one has ended of a bug since `before`, or since this
 * was called the first time: the next one would, too.
 */
export function refuseCrashing(file: string, before = known.get(file)): void {
  const note = readCrashNote(file);
  known.set(file, note?.time ?? null);
  if (!note || before === undefined || before === note.time) return;
  tellCrashOnce(file, () => undefined);
  throw new MidcltError(
    'NO_DAEMON',
    `${crashText(note)}. No other was started, and nothing was sent`,
  );
}
