/** Dates, times, sets and addresses: what Python's own types take is sent, and what it refuses is not. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { checkValue, JsonError } from '../../lib/json/check.js';
import { membersOf, Scan } from '../../lib/json/members.js';
import { jsonrpc, legacy, type Wire } from '../../lib/middleware/wire/wire.js';
import { parse, PyJsonError } from '../../lib/sandbox/python/json.js';
import { dump, type PyValue } from '../../lib/sandbox/python/values.js';
import { fuzz } from '../support/fuzz.js';
import { scalar, string, textsOf } from '../support/json-texts.js';
import { noPython, startOracle } from '../support/python-oracle.js';

/** What Python's types make of a text. */
interface Answer {
  readonly takes: boolean;
  /** Nobody writes it so: midclt may take it for the text that it is. */
  readonly odd?: boolean;
  /** The values, written again. */
  readonly written?: string;
}

const quoted = (texts: fc.Arbitrary<string>) => texts.map((text) => JSON.stringify(text));

/** A part of a date or a time, near what it may be at most. */
const part = fc.oneof(
  fc.integer({ min: -1, max: 70 }).map(String),
  fc.integer({ min: 0, max: 61 }).map((value) => String(value).padStart(2, '0')),
  fc.constantFrom(
    ...['1_0', ' 7 ', '+5', '', '1__0', 'x', '٣', '007', '-0', '2.5', '\t8', '9\u00a0'],
  ),
  fc.integer({ min: 999_998, max: 1_000_001 }).map(String),
);
const joined = (parts: fc.Arbitrary<string>, mark: string, most: number) =>
  fc.array(parts, { minLength: 1, maxLength: most }).map((each) => each.join(mark));
const two = (most: number) =>
  fc
    .oneof(fc.integer({ min: 0, max: most }), fc.constantFrom(0, most - 1, most))
    .map((value) => String(value).padStart(2, '0'));

const times = fc.oneof(
  joined(part, ':', 5),
  fc.tuple(two(24), two(60), two(60)).map((each) => each.join(':')),
  fc
    .tuple(
      fc.tuple(two(24), two(60), two(60)).map((each) => each.join(':')),
      fc.oneof(fc.constant(''), fc.stringMatching(/^[.,][0-9]{1,7}$/)),
      fc.oneof(
        fc.constantFrom('', 'Z', 'z', '+', '+1'),
        fc.tuple(fc.constantFrom('+', '-'), joined(two(61), ':', 3)).map((each) => each.join('')),
      ),
    )
    .map((each) => each.join('')),
);
const year = fc.oneof(
  fc.integer({ min: 1890, max: 2110 }).map(String),
  fc.constantFrom('0', '1', '0001', '9999', '10000', '2000', '1900', '2024'),
);
const days = fc.oneof(
  fc
    .tuple(year, fc.constantFrom('02-28', '02-29', '2-29', '02-30', '04-31', '12-31'))
    .map((each) => each.join('-')),
  fc.tuple(year, two(13), two(32)).map((each) => each.join('-')),
  fc.tuple(year, part, part).map((each) => each.join('-')),
  joined(part, '-', 4),
);
const milliseconds = fc.oneof(
  scalar,
  fc
    .integer({ min: -3, max: 3 })
    .chain((more) =>
      fc.constantFrom(
        ...[0n, -62135596800000n, 253402300799000n, 253402300799999n, 253402300798999n].map(
          (limit) => String(limit + BigInt(more)),
        ),
      ),
    ),
  fc.integer({ min: -62135596805, max: 253402300805 }).map((second) => `${second}000`),
  fc.double({ min: -6.3e13, max: 2.6e14, noNaN: true }).map((value) => JSON.stringify(value)),
);
const octets = fc
  .array(
    fc.oneof(fc.integer({ min: 0, max: 256 }).map(String), fc.constantFrom('0', '255', '01', '')),
    {
      minLength: 3,
      maxLength: 5,
    },
  )
  .map((each) => each.join('.'));
const prefix = fc.oneof(
  fc.constant(''),
  fc.integer({ min: 0, max: 130 }).map((bits) => `/${bits}`),
  fc.constantFrom(
    '/',
    '/-1',
    '/032',
    '/ 8',
    '/255.255.0.0',
    '/0.0.0.255',
    '/255.0.255.0',
    '/8/8',
    '/٣',
  ),
  octets.map((text) => `/${text}`),
);
const addresses = (address: fc.Arbitrary<string>) =>
  fc.tuple(fc.oneof(address, octets), prefix).map((each) => each.join(''));
const v6 = fc.oneof(
  fc.ipV6(),
  fc.constantFrom(
    '::',
    'fe80::1%eth0',
    '::1%',
    '::%a%b',
    '::ffff:1.2.3.4',
    '::1.2.3.04',
    '1::2::3',
    'FE80::',
    '::1 ',
  ),
);

const member = (key: string, value: fc.Arbitrary<string>) =>
  fc
    .tuple(
      fc.oneof(
        { weight: 5, arbitrary: value },
        scalar,
        string,
        fc.constantFrom('[]', '{}', '[[]]'),
      ),
    )
    .map(([text]) => `{"${key}": ${text}}`);
const list = (item: fc.Arbitrary<string>) =>
  fc.array(item, { maxLength: 4 }).map((items) => `[${items.join(', ')}]`);

const value = fc.oneof(
  member('$date', milliseconds),
  member('$time', quoted(times)),
  member('$ipv4_interface', quoted(addresses(fc.ipV4()))),
  member('$ipv6_interface', quoted(addresses(v6))),
  fc
    .tuple(
      fc.constantFrom('$type', '$typ'),
      fc.constantFrom('"date"', '"dat\\u0065"', '"time"', '1'),
      quoted(days),
    )
    .chain(([type, word, text]) =>
      fc.constantFrom(
        `{"${type}": ${word}, "$value": ${text}}`,
        `{"$value": ${text}, "${type}": ${word}}`,
      ),
    ),
);
const plainKey = fc.constantFrom('"$date"', '"$set"', '"\\u0024time"', '"a"', '"$x"', '"$value"');
const extended = fc.oneof(
  { weight: 6, arbitrary: value },
  {
    weight: 2,
    arbitrary: member('$set', list(fc.oneof(scalar, string, value, member('$set', list(scalar))))),
  },
  {
    weight: 2,
    arbitrary: textsOf(fc.oneof(scalar, string, value, member('$set', list(value))), plainKey),
  },
);

function reason(text: string): string | null {
  try {
    checkValue(Buffer.from(text));
    return null;
  } catch (error) {
    if (error instanceof JsonError) return error.message;
    throw error;
  }
}

/** What the sandbox makes of it; null where it refuses it, as an older or a newer server does. */
function sandboxed(text: string): PyValue | null {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof PyJsonError) return null;
    throw error;
  }
}

/** A call with it, and an answer that has it, keep its bytes. */
function checkWire(wire: Wire, text: string): void {
  const params = Buffer.from(`[${text}]`);
  const message = wire.encodeCall('i', 'm', params, true);
  assert.deepEqual(membersOf(message)?.get('params'), params);
  const head = wire === jsonrpc ? '{"jsonrpc": "2.0"' : '{"msg": "result"';
  const answer = Buffer.from(`${head}, "result": ${text}, "id": "i"}`);
  const scan = new Scan(answer);
  assert.equal(scan.step(Infinity), 'valid');
  const told = wire.decode(scan.members(), answer);
  assert.ok(told.kind === 'result');
  assert.equal(told.result.toString(), text);
}

t.test('values that JSON has no types for', { skip: noPython }, async (t) => {
  const ask = startOracle(t);
  const [, minor = 0] = (await ask('version', null)) as number[];
  if (minor < 11) t.comment('this Python reads fewer times than newer servers');
  await fuzz(t, {
    name: "extended types, beside Python's own",
    inputs: 1000,
    arbitrary: extended.map((text) => text.trim()),
    check: async (text) => {
      const python = (await ask('extended', text)) as Answer;
      const why = reason(text);
      // Else the server would refuse it without saying whom.
      if (minor >= 11) assert.ok(why !== null || python.takes, 'what Python refuses is not sent');
      if (python.takes && !python.odd) assert.equal(why, null, 'what Python takes is sent');
      if (why === null) for (const wire of [jsonrpc, legacy]) checkWire(wire, text);
      // The sandbox has times, and dates in milliseconds; it does not spell addresses anew.
      const made =
        /^\{"\$(?:date": -?\d{1,15}\}|time": ".*"\}|type": "[^{]*\}|value": "[^{]*\})$/.test(text)
          ? sandboxed(text)
          : null;
      if (made !== null && python.written) assert.equal(dump(made), python.written);
    },
  });
});
