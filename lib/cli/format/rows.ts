/** A result as rows: the elements of a list, of which each is a row of the columns that are asked for. */
import { elementsOf, isNull, membersOf, onOneLine, stringOf } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import { stripControls } from '../../text/terminal.js';
import { cut } from '../output/table.js';

/** Elements of a list; a result has 512 MB at most. */
const MOST_ROWS = 100_000_000;
/** So many rows are looked at for what columns there are. */
const LOOKED_AT = 100;

export type Row = readonly (Json | null)[];

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
  /** The columns that have no place in it. */
  readonly left: readonly string[];
}

/** The rows of these columns; of a result that is no list, one. A column is a member's name, or names and numbers with dots between. */
export function rowsOf(result: Json, columns: readonly string[]): Row[] {
  const elements = elementsOf(result, MOST_ROWS) ?? [result];
  return elements.map((element) => columns.map((column) => valueAt(element, column)));
}

/**
 * With the columns that have a place in a table: those that are neither lists nor objects, or all where there are no
 * others. Null: they are not objects.
 */
export function tableOf(result: Json): Table | null {
  const elements = elementsOf(result, MOST_ROWS);
  if (!elements) return null;
  const names = new Map<string, boolean>();
  for (const element of elements.slice(0, LOOKED_AT)) {
    const members = membersOf(element);
    if (!members) return null;
    for (const [name, value] of members) {
      names.set(name, (names.get(name) ?? true) && !isContainer(value));
    }
  }
  const plain = [...names].filter(([, isPlain]) => isPlain).map(([name]) => name);
  const columns = plain.length > 0 ? plain : [...names.keys()];
  const rows = elements.map((element) => {
    const members = membersOf(element);
    return columns.map((column) => members?.get(column) ?? null);
  });
  return { columns, rows, left: [...names.keys()].filter((name) => !columns.includes(name)) };
}

/** Null: there is none. A member whose name has dots in it comes first. */
function valueAt(value: Json, path: string): Json | null {
  const members = membersOf(value);
  const whole = members?.get(path);
  if (whole) return whole;
  for (let dot = path.indexOf('.'); dot !== -1; dot = path.indexOf('.', dot + 1)) {
    const inner = members ? members.get(path.slice(0, dot)) : elementAt(value, path.slice(0, dot));
    const found = inner && valueAt(inner, path.slice(dot + 1));
    if (found) return found;
  }
  return members ? null : elementAt(value, path);
}

function elementAt(value: Json, index: string): Json | null {
  if (!/^\d{1,9}$/.test(index)) return null;
  return elementsOf(value, MOST_ROWS)?.[Number(index)] ?? null;
}

function isContainer(value: Json): boolean {
  return membersOf(value) !== null || elementsOf(value, MOST_ROWS) !== null;
}

/** A string bare, with backslashes before what would end a cell or a row, as jq's `@tsv` has it; nothing for null. */
export function tsvCell(value: Json | null): string {
  if (value === null || isNull(value)) return '';
  const text = stringOf(value) ?? onOneLine(value).toString();
  return text.replace(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? character);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
};

/** On one line, without what a terminal would act on. */
export function tableCell(value: Json | null): string {
  if (value === null || isNull(value)) return '-';
  const text = stringOf(value) ?? onOneLine(value).toString();
  return stripControls(text.replace(/\s+/g, ' '), '').trim() || '-';
}

/** Columns of a cell that has a list or an object, at most. */
const MOST_COLUMNS = 60;
/** Characters of it that are looked at. */
const MOST_SEEN = 1000;

/** The row's cells in a table of this width, of which no list and no object takes more than half. */
export function tableCells(row: Row, width: number): string[] {
  const most = Math.min(MOST_COLUMNS, Math.floor(width / 2));
  return row.map((value) => {
    const cell = tableCell(value);
    const isLarge = value !== null && cell.length > most && stringOf(value) === null;
    return isLarge && /^[[{]/.test(cell) ? cut(cell.slice(0, MOST_SEEN), most) : cell;
  });
}
