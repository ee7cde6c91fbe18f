/** A line of a batch as the request that is sent: the short form as the long one, with the timeout of `-t`. */
import { REQUESTS } from '../../commands/verbs.js';
import type { CallMembers } from '../../commands/call.js';
import type { PingMembers } from '../../commands/ping.js';
import { MidcltError } from '../../errors.js';
import { checkValue } from '../../json/check.js';
import { QUOTE } from '../../json/ascii.js';
import { Scanner, Token, type Rules } from '../../json/scan.js';
import { Command, errorFrame, type Request } from '../../protocol/frames.js';
import { malformed } from '../../protocol/request-members.js';
import type { Outgoing } from '../../stream/codec.js';

export interface BatchRequest {
  /** As it is sent: latin1, one character a byte. */
  readonly line: string;
  readonly incoming: ReturnType<typeof REQUESTS.parse>;
  /** Members for the daemon behind the request's own, with a comma before each; the last of equal ones counts. */
  readonly members: string;
  /** The answer to what a batch can't have: it is not sent. */
  readonly refusal: Outgoing | null;
}

/** `timeout`: seconds for calls and pings that name none themselves; null is the default's. */
export function requestOf(source: string, timeout: number | null): BatchRequest {
  const short = SHORT.test(source) ? longForm(source) : source;
  if (short instanceof MidcltError) {
    const refusal = { frame: errorFrame(short), id: null };
    return {
      line: source,
      incoming: { request: null, id: null, error: short },
      members: '',
      refusal,
    };
  }
  const incoming = REQUESTS.parse(Buffer.from(short, 'latin1'));
  const refusal = refusalOf(incoming);
  const { request } = incoming;
  if (!request || timeout === null) return { line: short, incoming, members: '', refusal };
  const timed = withTimeout(request, timeout);
  return {
    line: short,
    incoming: { request: timed.request, verb: incoming.verb, id: incoming.id },
    members: timed.members,
    refusal,
  };
}

const SHORT = /^[ \t]*\[/;
/** The elements are not looked into, and checked before. */
const ELEMENTS: Rules = { depth: 1, integerDigits: 0, digits: 0, entered: 1, believes: true };

/**
 * `["method", arg, ...]` as the call that it stands for, the arguments byte for byte. What is no JSON is left as
 * it is: the error says so.
 */
function longForm(source: string): string | MidcltError {
  const text = Buffer.from(source, 'latin1');
  try {
    checkValue(text);
  } catch {
    return source;
  }
  const scanner = new Scanner(text, ELEMENTS);
  while (scanner.next() === Token.OPEN);
  if (text[scanner.start] !== QUOTE) {
    return malformed(
      'Request is an array that does not begin with the name of a method: ["method", argument, ...]',
      'TypeError',
    );
  }
  const method = scanner.token().toString('latin1');
  const params = source.slice(scanner.end).replace(/^[ \t\r]*,?[ \t\r]*/, '');
  return `{"command":"call","method":${method},"params":[${params}}`;
}

function withTimeout(
  request: Request,
  timeout: number,
): { readonly request: Request; readonly members: string } {
  if (request.command === Command.CALL) {
    const { kwargs } = request as Request & CallMembers;
    if (kwargs.timeout === undefined) {
      // All that it names is sent again: the last of equal members counts, as a whole.
      const given: CallMembers['kwargs'] = { ...kwargs, timeout };
      const members = `,"kwargs":${JSON.stringify(given)}`;
      return { request: Object.assign({}, request, { kwargs: given }), members };
    }
  }
  if (request.command === Command.PING) {
    if ((request as Request & PingMembers).timeout === undefined) {
      const members = `,"timeout":${timeout}`;
      return { request: Object.assign({}, request, { timeout }), members };
    }
  }
  return { request, members: '' };
}

/** The error for a request that a batch can't have: the answer to a shell is text, of any number of lines; a subscription has no end. */
function refusalOf(incoming: BatchRequest['incoming']): Outgoing | null {
  if (incoming.request?.command === Command.SUBSCRIBE) {
    const text = "A batch can't have 'subscribe'; 'midclt -d subscribe' prints events";
    return { frame: errorFrame(new MidcltError('REQUEST', text)), id: incoming.id };
  }
  if (!incoming.request || !incoming.verb?.format.text) return null;
  const {
    id,
    request: { command },
  } = incoming;
  const instead = command === Command.CLI_PING ? Command.PING : Command.CALL;
  const text = `A batch can't have '${command}', which answers in text; it takes '${instead}'`;
  return { frame: errorFrame(new MidcltError('REQUEST', text)), id };
}
