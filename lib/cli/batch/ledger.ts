/** What became of the requests of a batch: counts, the files for those to be looked at, and where it stands. */
import fs from 'node:fs';
import { MidcltError } from '../../errors.js';
import { MAX_REQUEST_LINE } from '../../protocol/frames.js';
import { excessOf } from '../../protocol/request.js';
import { ownCommand } from '../../text/for-person.js';
import { DEFAULTS, type Arguments } from '../args/arguments.js';
import { sayLine } from '../output/output.js';
import type { Place } from './output.js';
import { RequestFile } from './request-file.js';

/** `failed`: an error, or not sent. `unknown`: it may have been run, and nobody knows what came of it. */
export type Outcome = 'result' | 'failed' | 'unknown';

/** A request that was taken from the input. */
export interface Taken {
  /** As it was read. */
  readonly source: string;
  /** Of all the requests of the input, from 1. */
  readonly number: number;
  readonly place: Place;
}

export class Ledger {
  private readonly counts: Record<Outcome, number> = { result: 0, failed: 0, unknown: 0 };

  private readonly first: number;
  private taken = 0;
  private failed: RequestFile | null = null;
  private unknown: RequestFile | null = null;

  constructor(private readonly args: Arguments) {
    this.first = args.resumeFrom;
  }

  /**
   * Opens the files. Throws a `FILES` error for one that can't be written, or that the requests are read from.
   * `onFailure` is called when one can't be written any more.
   */
  open(inputs: readonly (fs.Stats | null)[], onFailure: () => void): void {
    const { args } = this;
    const { failed } = args;
    const unknown = args.unknown ?? (failed === null ? null : `${failed}.unknown`);
    checkApart(failed, unknown, inputs);
    // What an earlier part of the same input has left there is still to be looked at.
    const append = this.first > 1;
    const late = args.unknown === null;
    if (failed !== null) this.failed = new RequestFile(failed, { append, late: false }, onFailure);
    if (unknown !== null) this.unknown = new RequestFile(unknown, { append, late }, onFailure);
  }

  /** So many were answered, of which so many `failed`, or are of `unknown` outcome. */
  get counted(): Readonly<Record<'done' | 'failed' | 'unknown', number>> {
    const { result, failed, unknown } = this.counts;
    return { done: result + failed + unknown, failed, unknown };
  }

  /** Requests without a result. */
  get failures(): number {
    return this.counts.failed + this.counts.unknown;
  }

  get hasBegun(): boolean {
    return this.taken > 0;
  }

  /** The number of the request that is taken now. */
  take(): number {
    return this.first + this.taken++;
  }

  /** A request's answer is complete. Those to be looked at are written in the order of the input. */
  settle({ source, number, place }: Taken, outcome: Outcome): void {
    this.counts[outcome]++;
    const file = outcome === 'result' ? null : this[outcome];
    if (!file) place.end();
    else {
      const isCut = isTooLong(source);
      const act = () => {
        if (isCut) file.tooLong.push(number);
        else file.add(number, source);
      };
      place.end({ bytes: source.length, act });
    }
  }

  /** Completes the files, and says what is of unknown outcome. Returns why one is not complete, and what it lacks. */
  close(): string | null {
    let failure: string | null = null;
    for (const file of [this.failed, this.unknown]) {
      file?.close();
      if (file && file.tooLong.length > 0) sayLine(lackOf(file));
      if (!file?.failure) continue;
      const lacking = file.missing.length > 0 ? `; it lacks ${listed(file.missing)}` : '';
      const before: string = failure === null ? '' : `${failure}. `;
      failure = `${before}${file.failure.message}${lacking}`;
    }
    const { unknown } = this;
    const lacking = unknown ? unknown.missing.length + unknown.tooLong.length : 0;
    const count = this.counts.unknown - lacking;
    if (unknown && count > 0) {
      sayLine(
        `${requests(count)} of unknown outcome in ${unknown.path}: look before you run ${count === 1 ? 'it' : 'them'} again`,
      );
    }
    return failure;
  }

  /** Says what has come of the requests so far, and how to go on behind them. `why` begins the line. */
  sayWhereItStands(why: string, isPrinted: boolean): void {
    const { first, taken } = this;
    const next = first + taken;
    const { result, failed, unknown } = this.counts;
    const stand =
      taken === 0
        ? 'No request was sent'
        : `${range(first, next - 1)} answered: ${result} with a result, ${failed} failed, ${unknown} of unknown outcome`;
    const lost = isPrinted ? '' : '; the last of their answers were not printed';
    const same = this.args.files.length === 0 || this.args.files.includes('-');
    const how = same ? ', given the same input,' : '';
    sayLine(
      `${why}. ${stand}${lost}; '${ownCommand(this.args, batchWords(this.args, next))}'${how} goes on with the next`,
    );
  }
}

/** The words of the same batch from a later request on. Without secrets, as every command that is told. */
export function batchWords(args: Arguments, from = args.resumeFrom): string[] {
  const { timeout, parallel, progress, stopOnError, failed, unknown, status, files } = args;
  return [
    'batch',
    ...(timeout === null ? [] : ['-t', `${timeout}`]),
    ...(parallel === DEFAULTS.parallel ? [] : ['--parallel', `${parallel}`]),
    ...(progress ? ['--progress'] : []),
    ...(stopOnError ? ['--stop-on-error'] : []),
    ...(failed === null ? [] : ['--failed', failed]),
    ...(unknown === null ? [] : ['--unknown', unknown]),
    ...(status ? [] : ['--no-status']),
    ...(from === 1 ? [] : ['--resume-from', `${from}`]),
    ...(files.some((file) => /^-./.test(file)) ? ['--'] : []),
    ...files,
  ];
}

/** Such a line the input has cut, or it would have, had it been a little longer. */
function isTooLong(source: string): boolean {
  return source.length > MAX_REQUEST_LINE && excessOf(Buffer.from(source, 'latin1')) !== null;
}

function lackOf({ path, tooLong }: RequestFile): string {
  const them = tooLong.length === 1 ? 'it' : 'them';
  return `${path} lacks ${listed(tooLong)}: too long, a request has at most ${MAX_REQUEST_LINE} characters; only the input has ${them} whole`;
}

function requests(count: number): string {
  return count === 1 ? '1 request is' : `${count} requests are`;
}

function range(first: number, last: number): string {
  return first === last ? `Request ${first} is` : `Requests ${first} to ${last} are`;
}

/** `request 3`, `requests 1-3, 7`. */
function listed(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  const texts = ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
  return `${numbers.length === 1 ? 'request' : 'requests'} ${texts.join(', ')}`;
}

/** To open one of them would empty what is still to be read, or mix what is to be told apart. */
function checkApart(
  failed: string | null,
  unknown: string | null,
  inputs: readonly (fs.Stats | null)[],
): void {
  const [one, other] = [statOf(failed), statOf(unknown)];
  if (failed !== null && (failed === unknown || isSame(one, other))) {
    throw new MidcltError('FILES', `--failed and --unknown need a file each, not both ${failed}`);
  }
  for (const [path, stat] of [
    [failed, one],
    [unknown, other],
  ] as const) {
    if (inputs.some((input) => isSame(input, stat))) {
      throw new MidcltError(
        'FILES',
        `The requests are read from ${path ?? ''}; give another file to write to`,
      );
    }
  }
}

function statOf(path: string | null): fs.Stats | null {
  return path === null ? null : (fs.statSync(path, { throwIfNoEntry: false }) ?? null);
}

function isSame(one: fs.Stats | null, other: fs.Stats | null): boolean {
  return one !== null && other?.isFile() === true && one.ino === other.ino && one.dev === other.dev;
}
