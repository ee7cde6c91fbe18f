/** The answers of several systems to stdout: a line of JSON each, or on a terminal a row of a table. */
import { isatty } from 'node:tty';
import { asMidcltError, publicText } from '../../errors.js';
import { onOneLine, quote, stringOf } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import { stripControls } from '../../text/terminal.js';
import { ErrorAnswer } from '../commands/exchange.js';
import { split } from '../format/format.js';
import { JsonPrinter } from '../format/json-printer.js';
import { rowsOf, tableCells, tsvCell } from '../format/rows.js';
import {
  foreignWriter,
  sayLine,
  writeForeign,
  writeForeignLines,
  writeOut,
} from '../output/output.js';
import { aligned, widthOfStdout } from '../output/table.js';

const STDOUT = 1;

/** What has come of one system: its result, or why there is none. */
export type Outcome =
  | { readonly kind: 'result'; readonly result: Json }
  | { readonly kind: 'error'; readonly error: unknown };

interface Options {
  /** Answers keep the order of the systems. */
  readonly sort: boolean;
  /** No errors are printed. */
  readonly quiet: boolean;
  /** As `-o` takes it; of a table every row begins with the profile. */
  readonly format: string | null;
}

export class Answers {
  private readonly isTable = isatty(STDOUT);
  private readonly width: number;
  private readonly columnsOfStdout = widthOfStdout();
  /** Whose turn has not come. */
  private readonly held = new Map<number, Outcome>();
  private next = 0;
  private readonly kind: string;
  private readonly columns: readonly string[];
  /** Of a table, which is as wide as its widest cells. */
  private readonly rows: string[][] = [];

  constructor(
    private readonly names: readonly string[],
    private readonly options: Options,
  ) {
    this.width = Math.max(...names.map(({ length }) => length));
    const [kind, columns] = split(options.format ?? 'json');
    this.kind = kind;
    this.columns = columns ?? [];
  }

  /** No other answer is waited for. Throws as `writeOut` does. */
  end(): void {
    for (const [index, outcome] of [...this.held].sort(([a], [b]) => a - b))
      this.print(index, outcome);
    this.held.clear();
    if (this.rows.length === 0) return;
    const titles = ['profile', ...this.columns].map((column) => column.toUpperCase());
    writeForeignLines(aligned([titles, ...this.rows], this.columnsOfStdout));
  }

  /** Takes the answer of the system at this place. Throws as `writeOut` does. */
  put(index: number, outcome: Outcome): void {
    if (!this.options.sort) {
      this.print(index, outcome);
      return;
    }
    this.held.set(index, outcome);
    for (;;) {
      const turn = this.held.get(this.next);
      if (!turn) return;
      this.held.delete(this.next);
      this.print(this.next++, turn);
    }
  }

  private print(index: number, outcome: Outcome): void {
    const name = this.names[index] ?? '';
    if (outcome.kind === 'error' && this.options.quiet) return;
    if (this.kind !== 'json') this.printRows(name, outcome);
    else if (this.options.format === 'json') writeStrict(lineOf(name, outcome));
    else if (this.isTable) writeOut(Buffer.from(this.row(name, outcome)));
    else writeForeign(lineOf(name, outcome));
  }

  private printRows(name: string, outcome: Outcome): void {
    if (outcome.kind === 'error') {
      sayLine(`${name}: Error: ${errorOf(outcome.error).text}`);
      return;
    }
    const found = rowsOf(outcome.result, this.columns);
    if (this.kind === 'table')
      for (const row of found) this.rows.push([name, ...tableCells(row, this.columnsOfStdout)]);
    else writeForeignLines(found.map((row) => [name, ...row.map(tsvCell)].join('\t')));
  }

  private row(name: string, outcome: Outcome): string {
    const text =
      outcome.kind === 'error'
        ? `Error: ${errorOf(outcome.error).text}`
        : (stringOf(outcome.result) ?? outcome.result.toString());
    const [line = ''] = text.trim().split('\n');
    const cells = [name.padEnd(this.width), stripControls(line.slice(0, MOST_SHOWN), '')];
    return `${aligned([cells], this.columnsOfStdout).join('')}\n`;
  }
}

/** Characters of a result that are looked at for a line of the table. */
const MOST_SHOWN = 2000;

function writeStrict(line: Buffer): void {
  const printer = new JsonPrinter(foreignWriter(), 'line');
  printer.push(line);
  printer.end();
}

function lineOf(name: string, outcome: Outcome): Buffer {
  const head = `{"profile":${quote(name)},`;
  if (outcome.kind === 'result') {
    return Buffer.concat([
      Buffer.from(`${head}"result":`),
      onOneLine(outcome.result),
      Buffer.from('}\n'),
    ]);
  }
  const { text, type, extra, isUnknown } = errorOf(outcome.error);
  const members = [
    `"error":${quote(text)}`,
    `"error_type":${quote(type)}`,
    ...(isUnknown ? ['"outcome":"unknown"'] : []),
    ...(extra === null ? [] : [`"extra":${onOneLine(extra).toString()}`]),
  ];
  return Buffer.from(`${head}${members.join(',')}}\n`);
}

interface Failure {
  readonly text: string;
  readonly type: string;
  readonly extra: Json | null;
  /** The call may have been run, and nobody knows what came of it. */
  readonly isUnknown: boolean;
}

function errorOf(error: unknown): Failure {
  if (error instanceof ErrorAnswer) {
    const { error: text, errorType: type, extra, cause, isOutcomeUnknown } = error.frame;
    const isUnknown = isOutcomeUnknown ?? (cause ? asMidcltError(cause).outcomeUnknown : false);
    return { text, type, extra, isUnknown };
  }
  const { errorType: type, outcomeUnknown: isUnknown } = asMidcltError(error);
  return { text: publicText(error), type, extra: null, isUnknown };
}
