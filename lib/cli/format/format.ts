/** `-o`: the forms in which a result can be printed, beside the one that the original has. */
import { isatty } from 'node:tty';
import type { Json } from '../../protocol/frames.js';
import { membersOf, elementsOf } from '../../json/members.js';
import { listed } from '../output/listed.js';
import { foreignWriter, sayLine, writeForeignLines } from '../output/output.js';
import { aligned, widthOf, widthOfStdout } from '../output/table.js';
import { COLOURS, JsonPrinter } from './json-printer.js';
import { rowsOf, tableCell, tableCells, tableOf, tsvCell, type Table } from './rows.js';

/** Takes a result in pieces. */
export interface Printer {
  push(piece: Buffer): void;
  end(): void;
}

const STDOUT = 1;
const MOST_LINES = 100_000_000;

/** The others are escaped in JSON, but for those of the colours. */
function withoutC1(text: string): Buffer {
  return Buffer.from(text.replace(/[\x7f-\x9f]/g, ''));
}

/** What prints a result in this form; the text is one that `-o` takes. */
export function printerOf(form: string): Printer {
  const [kind, columns] = split(form);
  switch (kind) {
    case 'json':
      return new JsonPrinter(foreignWriter(), 'line');
    case 'jsonl':
      return new JsonPrinter(foreignWriter(), 'lines');
    case 'pretty':
      return new JsonPrinter(foreignWriter(withoutC1), 'pretty', hasColours() ? COLOURS : null);
    case 'tsv':
      return collecting((result) => {
        writeForeignLines(tsvLines(result, columns ?? []));
      });
    default:
      return collecting((result) => {
        writeForeignLines(tableLines(result, columns, widthOfStdout()));
      });
  }
}

/** The columns are null where none are named. */
export function split(form: string): readonly [string, readonly string[] | null] {
  const equals = form.indexOf('=');
  if (equals === -1) return [form, null];
  return [form.slice(0, equals), form.slice(equals + 1).split(',')];
}

/** Colours are for a terminal, and for who does not refuse them (no-color.org). */
function hasColours(): boolean {
  return isatty(STDOUT) && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}

function collecting(print: (result: Json) => void): Printer {
  const pieces: Buffer[] = [];
  return {
    push: (piece) => pieces.push(piece),
    end: () => {
      print(Buffer.concat(pieces));
    },
  };
}

export function tsvLines(result: Json, columns: readonly string[]): string[] {
  return rowsOf(result, columns).map((row) => row.map(tsvCell).join('\t'));
}

/** In a table of this width. The columns are null where none are named. */
export function tableLines(
  result: Json,
  columns: readonly string[] | null,
  width: number,
): string[] {
  const table = columns ? { columns, rows: rowsOf(result, columns), left: [] } : tableOf(result);
  if (table) {
    if (!columns && table.columns.length === 0) return [];
    const lines = cellsOf(table, width);
    return aligned(columns ? lines : fitting(lines, table, width), width);
  }
  const members = membersOf(result);
  if (members) {
    const lines = [...members].map(([name, value]) => [name, ...tableCells([value], width)]);
    return aligned(lines, width);
  }
  const elements = elementsOf(result, MOST_LINES) ?? [result];
  return aligned(
    elements.map((element) => [tableCell(element)]),
    width,
  );
}

/** With their titles. */
function cellsOf({ columns, rows }: Table, width: number): string[][] {
  const titles = columns.map((column) => column.toUpperCase());
  return [titles, ...rows.map((row) => tableCells(row, width))];
}

/** As many columns as there is room for; says which are left out. */
function fitting(
  lines: readonly (readonly string[])[],
  { columns: names, left }: Table,
  width: number,
): readonly (readonly string[])[] {
  let room = width;
  let count = 0;
  for (const i of names.keys()) {
    let widest = 0; // in a loop: a function takes only so many arguments
    for (const line of lines) widest = Math.max(widest, widthOf(line[i] ?? ''));
    room -= widest + 2;
    if (room < -2) break;
    count++;
  }
  const shown = Math.max(count, 1);
  const out = [...names.slice(shown), ...left];
  if (out.length > 0) sayLine(`Left out: ${listed(out)}; '-o table=NAME,NAME' chooses`);
  return lines.map((line) => line.slice(0, shown));
}
