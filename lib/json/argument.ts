/** An argument as typed, to a parameter. */
import { checkingValue, JsonError } from './check.js';
import { onOneLine, quote } from './members.js';
import { atOnce, type Steps } from '../steps.js';

/** What JSON can begin with. To find out by an exception costs more than all the rest of a short argument. */
const MAY_BE_JSON = /^[ \t\r\n]*["[{tfnNI\-0-9]/;

/** Characters that are quoted in one step. */
const SLICE = 64 * 1024;

/** The JSON text of one argument: its own where Python's parser takes it as JSON, else that of a string. */
export function argumentText(arg: string): string {
  return atOnce(readingArgument(arg));
}

/** The same; `onString` is told why an argument that begins like JSON is taken for a string. */
export function textOf(arg: string, onString: (why: JsonError) => void): string {
  return atOnce(readingArgument(arg, onString));
}

/** As {@link textOf}, in steps. */
export function* readingArgument(
  arg: string,
  onString: (why: JsonError) => void = () => undefined,
): Steps<string> {
  if (!MAY_BE_JSON.test(arg)) return yield* quoting(arg);
  const bytes = Buffer.from(arg);
  try {
    yield* checkingValue(bytes);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    onString(error);
    return yield* quoting(arg);
  }
  yield;
  return onOneLine(bytes).toString().trim();
}

/** As {@link quote}, which spells the halves of a pair one by one. */
function* quoting(text: string): Steps<string> {
  let quoted = '';
  for (let from = 0; from < text.length; from += SLICE) {
    yield;
    quoted += quote(text.slice(from, from + SLICE)).slice(1, -1);
  }
  return `"${quoted}"`;
}
