/** `methods`, `describe` and `events`: what a server can be asked for, over a daemon or without one. */
import { isatty } from 'node:tty';
import { MidcltError } from '../../errors.js';
import { membersOf, quote, stringOf } from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';
import { ownCommand, ownWords } from '../../text/for-person.js';
import type { Arguments } from '../args/arguments.js';
import { readCache, type Row } from '../find/cache.js';
import { catalogOf, KNOWN_EVENTS } from '../find/catalog.js';
import { describeLines } from '../find/describe.js';
import { didYouMean, isGlob, matcher, nearNames } from '../find/pattern.js';
import { summaryOf } from '../find/prose.js';
import { sayLine, writeForeign } from '../output/output.js';
import { aligned, printLines, widthOfStdout } from '../output/table.js';
import { timeoutOf } from './call.js';
import { callOf, ErrorAnswer, reportingErrors, resultOf, withExchange } from './exchange.js';

/** Returns the exit code. */
export function findCommand(args: Arguments): Promise<number> {
  if (args.name === 'methods') return reportingErrors(methods(args));
  return reportingErrors(args.name === 'events' ? events(args) : describe(args));
}

async function methods(args: Arguments): Promise<number> {
  const { rows } = await catalogOf(args);
  const found = matching(rows, args.pattern);
  if (args.json) {
    const entries = found.map((row) => `  ${summaryJson(row)}`);
    const text = entries.length === 0 ? '[]' : `[\n${entries.join(',\n')}\n]`;
    writeForeign(Buffer.from(`${text}\n`));
    return 0;
  }
  if (found.length === 0) return nothing('method', args.pattern);
  printLines(
    aligned([['METHOD', 'KIND', 'DESCRIPTION'], ...found.map(cellsOf)], widthOfStdout()),
    '\t',
  );
  return 0;
}

/** Those of whose names the pattern is true; where there are none, of whose descriptions a word or more is. */
function matching<T extends Pick<Row, 'name' | 'summary'>>(
  rows: readonly T[],
  pattern: string | null,
): readonly T[] {
  if (pattern === null) return rows;
  const matches = matcher(pattern);
  const found = rows.filter(({ name }) => matches(name));
  if (found.length > 0 || isGlob(pattern)) return found;
  return rows.filter(({ summary }) => matches(summary));
}

function cellsOf({ name, job, downloadable, uploadable, summary }: Row): string[] {
  const kinds = [
    ...(job ? ['job'] : []),
    ...(downloadable ? ['download'] : []),
    ...(uploadable ? ['upload'] : []),
  ];
  return [name, kinds.join(',') || '-', summary];
}

function summaryJson({ name, summary, job, downloadable, uploadable }: Row): string {
  return JSON.stringify({ name, description: summary, job, downloadable, uploadable });
}

function nothing(what: string, pattern: string | null): number {
  const which = pattern === null ? '' : ` that matches ${pattern}`;
  sayLine(`The server tells of no ${what}${which}`);
  return 1;
}

async function describe(args: Arguments): Promise<number> {
  const [name = ''] = args.method;
  let { rows, entryOf } = await catalogOf(args);
  const isThere = rows.some((row) => row.name === name);
  let entry = entryOf(name);
  if (isThere && !entry) {
    ({ rows, entryOf } = await catalogOf({ ...args, refresh: true }));
    entry = entryOf(name);
  }
  if (!entry) {
    const names = rows.map((row) => row.name);
    sayLine(
      `The server tells of no method ${name}, or this user may not call it. ${near(args, name, names)}`,
    );
    return 1;
  }
  if (args.json) {
    writeForeign(Buffer.concat([entry, NEWLINE]));
    return 0;
  }
  const width = isatty(STDOUT) ? process.stdout.columns || DEFAULT_WIDTH : DEFAULT_WIDTH;
  const lines = describeLines(name, entry, Math.min(width, MOST_WIDTH), [
    'midclt',
    ...ownWords(args),
  ]);
  printLines(lines, '\t');
  return 0;
}

/** What the server has for `core.get_events`, up to 26. */
async function events(args: Arguments): Promise<number> {
  let answer: Json;
  try {
    answer = await withExchange(args, (exchange) =>
      resultOf(exchange, callOf('core.get_events', '[]', timeoutOf(args))),
    );
  } catch (error) {
    const isGone =
      error instanceof ErrorAnswer && /^Method does not exist|ENOMETHOD/.test(error.frame.error);
    if (!isGone) throw error;
    sayLine(untold(args));
    return 1;
  }
  const entries = membersOf(answer);
  if (!entries) throw new MidcltError('PROTOCOL', 'The server answered with no list of its events');
  const rows = [...entries].map(([name, entry]) => {
    const description = stringOf(membersOf(entry)?.get('description')) ?? '';
    return { name, entry, summary: summaryOf(description) };
  });
  const found = matching(rows, args.pattern).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  if (args.json) {
    const members = found.flatMap(({ name, entry }, index) => [
      Buffer.from(`${index === 0 ? '' : ',\n'}  ${quote(name)}: `),
      entry,
    ]);
    writeForeign(Buffer.concat([Buffer.from('{\n'), ...members, Buffer.from('\n}\n')]));
    return 0;
  }
  if (found.length === 0) return nothing('event', args.pattern);
  const cells = found.map(({ name, summary }) => [onLine(name), summary]);
  printLines(aligned([['EVENT', 'DESCRIPTION'], ...cells], widthOfStdout()), '\t');
  return 0;
}

function untold(args: Arguments): string {
  const queries = ownCommand(args, ['methods', '.query']);
  return (
    'This server has no list of its events (core.get_events is gone from version 27 on). ' +
    `Well known are ${KNOWN_EVENTS.join(', ')}, and most methods NAME.query have an event of their name: '${queries}' lists those`
  );
}

/**
 * What to say of a method that does not exist, to a person: names near it, of what is cached. The server is not
 * asked for them.
 */
export function sayNearNames(args: Arguments): void {
  const [name = ''] = args.method;
  sayLine(near(args, name, readCache(args)?.rows.map((row) => row.name) ?? []));
}

function near(args: Arguments, name: string, names: readonly string[]): string {
  const question = didYouMean(nearNames(name, names));
  if (question !== null) return question;
  const [service = ''] = /^.*\./.exec(name) ?? [];
  const isThere = names.length === 0 || names.some((each) => each.startsWith(service));
  const words = service !== '' && isThere ? [service] : [];
  return `'${ownCommand(args, ['methods', ...words])}' lists the methods that there are`;
}

const STDOUT = 1;
const NEWLINE = Buffer.from('\n');
const DEFAULT_WIDTH = 80;
/** Text is hard to read on longer lines. */
const MOST_WIDTH = 100;

function onLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}
