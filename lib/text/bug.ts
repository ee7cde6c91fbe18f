/**
 * What a log may have of a bug. An error's message may quote anything, a password or a call's parameters, so of it only
 * words are kept that are known to quote nothing. Where it happened says more anyway.
 */
import { MISTAKES, originOf } from '../errors.js';

export interface Bug {
  /** Such as `TypeError: Cannot read properties of undefined`. */
  readonly error: string;
  /** The functions that were under way, the innermost first: `name (file:line:column)`. */
  readonly at: readonly string[];
}

export function describeBug(thrown: unknown): Bug {
  try {
    if (!(thrown instanceof Error)) return { error: `a thrown ${typeof thrown}`, at: [] };
    const error = originOf(thrown);
    return { error: [nameOf(error), ...wordsOf(error)].join(': '), at: placesOf(error) };
  } catch {
    return { error: 'an error that cannot be looked at', at: [] };
  }
}

/** With where it happened, in one line. */
export function bugLine({ error, at: [place] }: Bug): string {
  return place === undefined ? error : `${error}, in ${place}`;
}

function nameOf({ name }: Error): string {
  return /^[A-Z][A-Za-z]{0,40}$/.test(name) ? name : 'Error';
}

/** What V8 says of mistakes without naming a value. */
const HARMLESS =
  /^(?:Cannot (?:read|set) properties of (?:undefined|null)|Maximum call stack size exceeded|Invalid (?:string|array|typed array) length|Array buffer allocation failed|Assignment to constant variable|Reduce of empty array)/;
/** The name is the source's. */
const UNDEFINED = /^[\w$]{1,60} is not defined$/;

function wordsOf(error: Error): string[] {
  const { code, syscall } = error as NodeJS.ErrnoException;
  const [words] =
    (MISTAKES.includes(error.name) ? HARMLESS.exec(error.message) : null) ??
    (error.name === 'ReferenceError' ? UNDEFINED.exec(error.message) : null) ??
    [];
  const isCode = typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,60}$/.test(code);
  const isCall = typeof syscall === 'string' && /^[a-z0-9_]{1,20}$/.test(syscall);
  return [
    ...(isCode ? [isCall ? `${code} of ${syscall}` : code] : []),
    ...(words === undefined ? [] : [words]),
  ];
}

const MOST_PLACES = 30;
const PLACE =
  /^ {4}at (?:(?:async )?(?:new )?([\w$.<>#]{1,100})?(?: \[as [^\]]*\])? ?\()?((?:node:|file:\/\/|\/)[^()\s]{1,400}:\d+:\d+)\)?$/;

/** The lines behind the message; none where it can't be told where that ends, since it may have such lines itself. */
function placesOf({ stack, message }: Error): string[] {
  const start = stack?.indexOf(message) ?? -1;
  if (stack === undefined || start === -1) return [];
  return stack
    .slice(start + message.length)
    .split('\n')
    .flatMap((line) => {
      const [, name, place] = PLACE.exec(line) ?? [];
      return place === undefined ? [] : [`${name ?? '-'} (${place})`];
    })
    .slice(0, MOST_PLACES);
}
