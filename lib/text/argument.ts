/** An argument as typed, to a parameter. */
import { checkValue, JsonError } from '../json.js';
import { onOneLine, quote } from '../members.js';

/** The JSON text of one argument: its own where Python's parser takes it as JSON, else that of a string. */
export function argumentText(arg: string): string {
  return textOf(arg, () => undefined);
}

/** The same; `onString` is told why the argument is taken for a string. */
export function textOf(arg: string, onString: (why: JsonError) => void): string {
  const bytes = Buffer.from(arg);
  try {
    checkValue(bytes);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    onString(error);
    return quote(arg);
  }
  return onOneLine(bytes).toString().trim();
}
