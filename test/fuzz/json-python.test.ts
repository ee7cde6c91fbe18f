/** What our readers of JSON take, and what they find in it, is what Python's json module does. */
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import t from 'tap';
import { REQUESTS } from '../../lib/commands/verbs.js';
import { checkObject, checkValue, JsonError, textOf } from '../../lib/json/check.js';
import {
  booleanOf,
  elementsOf,
  integerOf,
  isNull,
  membersOf,
  Scan,
  stringOf,
  type Verdict,
} from '../../lib/json/members.js';
import type { Json } from '../../lib/json/scan.js';
import { JsonText } from '../../lib/json/text.js';
import { fuzz } from '../support/fuzz.js';
import { nearlyJson } from '../support/json-texts.js';
import { noPython, startOracle } from '../support/python-oracle.js';

/** A value with the types that JSON leaves out. */
type View =
  | null
  | boolean
  | string
  | { int: string }
  | { float: string }
  | { list: View[] }
  | { dict: [string, View][] };

interface Answer {
  readonly utf8: boolean;
  readonly takes: boolean;
  /** Also with integers of more than 4,300 digits. */
  readonly takesLonger: boolean;
  readonly depth?: number;
  /** Of a list the elements, of an object the members, as base64; null of anything else. */
  readonly pieces?: [string | null, string][] | null;
  readonly value?: View;
  /** `sent` is the same value. */
  readonly isSame?: boolean;
  readonly lineTakes: boolean;
}

/** Requests and arguments are read by the rules that the server has. */
const MAX_DEPTH = 500;
const LONGEST_KEY = 1000;
/** A message of the server with more members is none that steers. */
const MOST_OF_MESSAGE = 63;

function accepts(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch (error) {
    if (error instanceof JsonError) return false;
    throw error;
  }
}

/** Reads a text that comes in pieces, so many bytes at a time. */
function scanned(text: Buffer, come: number, bytes: number): { scan: Scan; verdict: Verdict } {
  const scan = new Scan(text, Math.min(come, text.length));
  for (let present = come; ;) {
    const verdict = scan.step(bytes);
    if (verdict !== 'unfinished') return { scan, verdict };
    // Of what has come all may have been read, but for the last bytes.
    if (present < text.length) scan.grow(Math.min((present += come), text.length));
  }
}

/** Of duplicate keys the last value counts, in the first one's place. */
function dictOf(pieces: readonly [string | null, string][]): Map<string | null, string> {
  return new Map(pieces);
}

function base64(found: ReadonlyMap<string, Json> | null): Map<string, string> | null {
  return found && new Map([...found].map(([key, text]) => [key, text.toString('base64')]));
}

function known(dict: ReadonlyMap<string | null, string>): boolean {
  return [...dict.keys()].every((key) => Buffer.byteLength(JSON.stringify(key)) < LONGEST_KEY / 6);
}

/** What is read of one piece, by those who look at what steers. */
function checkPiece(piece: Json, view: View): void {
  assert.equal(stringOf(piece), typeof view === 'string' ? view : null);
  assert.equal(booleanOf(piece), typeof view === 'boolean' ? view : null);
  assert.equal(isNull(piece), view === null);
  const isInteger = view !== null && typeof view === 'object' && 'int' in view;
  const integer = isInteger && piece.length <= 16 ? Number(view.int) : NaN;
  const expected = Number.isSafeInteger(integer) ? integer : null;
  assert.ok(integerOf(piece) == expected, `integer ${piece.toString()}`); // -0 is 0
}

/** `value` is what Python says, as far as JavaScript has a type for it. */
function checkBuilt(value: unknown, view: View): void {
  if (view === null || typeof view !== 'object') {
    assert.equal(value, view);
  } else if ('int' in view) {
    const isExact = typeof value === 'bigint' || Number.isSafeInteger(value);
    assert.ok(isExact && BigInt(value as number) === BigInt(view.int), view.int);
  } else if ('float' in view) {
    const words: Record<string, number> = { nan: NaN, inf: Infinity, '-inf': -Infinity };
    assert.ok(Object.is(value, words[view.float] ?? Number(view.float)), view.float);
  } else if ('list' in view) {
    assert.ok(Array.isArray(value) && value.length === view.list.length);
    view.list.forEach((each, index) => checkBuilt(value[index], each));
  } else {
    const members = new Map(Object.entries(value as object));
    assert.equal(members.size, view.dict.length);
    for (const [key, each] of view.dict) checkBuilt(members.get(key), each);
  }
}

t.test('texts of every spelling', { skip: noPython }, async (t) => {
  const ask = startOracle(t);
  await fuzz(t, {
    name: "JSON, beside Python's json",
    inputs: 4000,
    arbitrary: fc.record({
      text: nearlyJson,
      come: fc.integer({ min: 1, max: 300 }),
      bytes: fc.integer({ min: 1, max: 100 }),
    }),
    check: async ({ text: latin1, come, bytes }) => {
      const text = Buffer.from(latin1, 'latin1');
      const before = '{"command": "call", "method": "m", "params": [';
      const line = Buffer.concat([Buffer.from(before), text, Buffer.from(']}')]);
      const argument = text.toString();
      const sent = textOf(argument, () => undefined);
      const python = (await ask('json', {
        bytes: text.toString('base64'),
        line: line.toString('base64'),
        sent,
      })) as Answer;
      const { takes, takesLonger, depth = 0, pieces, value } = python;
      assert.equal(isUtf8(text), python.utf8);

      // What is sent: Python gives up at a depth near 1,000, midclt at 500. Whoever brings the bytes has looked whether they are UTF-8.
      const isSendable = takes && depth <= MAX_DEPTH;
      assert.equal(
        accepts(() => checkValue(text)),
        isSendable,
      );
      const parsed = REQUESTS.parse(line);
      // The list and the object around it count.
      if (python.utf8 && takes && depth <= MAX_DEPTH - 2) {
        assert.ok(parsed.request, 'a request with it is taken');
        assert.deepEqual(
          (parsed.request as { params?: Json }).params,
          line.subarray(before.length - 1, -1),
        );
      } else if (!python.utf8 || !python.lineTakes) {
        assert.equal(parsed.request, null, 'a request with it is refused');
      }

      // What is read: messages may have longer integers and deeper lists than a Python reads.
      const { scan, verdict } = scanned(text, come, bytes);
      assert.equal(verdict, takesLonger ? 'valid' : 'invalid');
      if (!isSendable) return;
      const dict = pieces && latin1.trim().startsWith('{') ? dictOf(pieces) : null;
      if (dict === null) {
        assert.equal(membersOf(text), null);
        assert.deepEqual(
          elementsOf(text)?.map((each) => each.toString('base64')),
          pieces?.map(([, each]) => each),
        );
        assert.equal(checkObject(text), null);
      } else if (python.utf8 && known(dict)) {
        assert.deepEqual(base64(membersOf(text)), dict);
        assert.deepEqual(base64(checkObject(text)), dict);
        const few = (pieces?.length ?? 0) <= MOST_OF_MESSAGE;
        assert.deepEqual(base64(scan.members()), few ? dict : new Map());
      } else if (python.utf8) {
        assert.equal(membersOf(text)?.size, dict.size, 'a key too long to be known');
      }
      if (value === undefined) return; // it is no UTF-8
      assert.equal(sent, argument.trim().replaceAll('\n', ' '), 'an argument keeps its spelling');
      assert.ok(python.isSame, `the argument is sent as ${sent}`);
      checkPiece(Buffer.from(argument.trim()), value);
      checkBuilt(new JsonText(argument).value({ bigint: true }), value);
    },
  });
});
