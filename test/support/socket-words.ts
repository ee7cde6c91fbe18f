/** Random lines for the daemon's socket, made by fast-check. */
import fc from 'fast-check';

const seconds = fc.constantFrom(0.01, 0.02, 5);
const common = {
  id: fc.oneof(
    fc.nat(),
    fc.constantFrom('a', 'é', null, true, '', 1.5, '\ud800'),
    fc.jsonValue({ maxDepth: 2 }),
  ),
  keep: fc.boolean(),
  close: fc.constantFrom(false, false, false, null, true),
  version: fc.constantFrom('9.9.9', null),
  protocol: fc.constantFrom(1, 0, 2, null),
  ...{ job_id: fc.boolean(), not_sent: fc.boolean(), error_code: fc.boolean() },
  insecure: fc.constantFrom(false, true, null),
};

function request(own: Readonly<Record<string, fc.Arbitrary<unknown>>>, ...required: string[]) {
  const all = { ...own, ...common };
  return fc.record(all, { requiredKeys: ['command', ...required] as (keyof typeof all)[] });
}

const is = <T>(value: T) => fc.constant(value);
const method = fc.constantFrom(
  'test.echo',
  'test.echo',
  'test.int',
  'core.ping',
  'test.validation',
  'x.y',
  '',
);
const kwargs = fc.record(
  { timeout: seconds, job: fc.boolean(), detach: fc.boolean() },
  { requiredKeys: [] },
);
const params = fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 3 });

const requests = fc.oneof(
  { weight: 3, arbitrary: request({ command: is('ping'), timeout: seconds }) },
  { weight: 6, arbitrary: request({ command: is('call'), method, params }, 'method', 'params') },
  { weight: 2, arbitrary: request({ command: is('call'), method, params, kwargs }, 'method') },
  request(
    { command: is('call'), method: is('test.sleep'), params: is([0.01]), kwargs },
    'method',
    'params',
  ),
  request(
    {
      command: is('call'),
      method: is('test.job'),
      params: is([1, 0.01]),
      kwargs: is({ job: true }),
    },
    'method',
    'params',
    'kwargs',
  ),
  request(
    {
      command: is('subscribe'),
      event: fc.constantFrom('test.event', 'x', 'test.ticker:{"interval": 0.01}'),
      number: is(1),
      timeout: fc.constantFrom(0.01, 0.03),
    },
    'event',
    'timeout',
  ),
  request(
    { command: is('follow'), job: fc.constantFrom(1, 2, 99_999, 0, -1), timeout: is(0.02) },
    'job',
    'timeout',
  ),
  { weight: 2, arbitrary: request({ command: is('status') }) },
  request({ command: is('stop'), if_idle: is(true) }, 'if_idle'),
  {
    weight: 2,
    arbitrary: request(
      {
        command: is('cli-call'),
        method,
        args: fc.array(fc.string(), { maxLength: 3 }),
        terminal: fc.boolean(),
        sized: is(true),
      },
      'method',
      'args',
      'sized',
    ),
  },
  request({ command: is('cli-ping'), terminal: fc.boolean(), sized: is(true) }, 'sized'),
);

const LATIN1 = 'latin1';
const bytesOf = (text: string) => Buffer.from(text).toString(LATIN1);
const good = requests.map((each) => bytesOf(JSON.stringify(each)));
const name = fc.constantFrom(
  'command',
  'method',
  'params',
  'kwargs',
  'timeout',
  'id',
  'close',
  'keep',
  'job',
  'event',
  'number',
  'args',
  'sized',
  'version',
  'protocol',
  'job_id',
  'nope',
  '__proto__',
  'Params',
);
const oddValue = fc.oneof(
  fc.json({ maxDepth: 2 }).map(bytesOf),
  fc.constantFrom(
    'NaN',
    '-Infinity',
    '1e999',
    '-0',
    '9'.repeat(4400),
    '[1,',
    '"',
    '{"$date":"x"}',
    '{"a":1,"a":2}',
    '"\xff"',
    '[5]',
  ),
  fc.nat({ max: 700 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
);

/** A line of bytes, each a character, without its end. */
const line: fc.Arbitrary<string> = fc
  .oneof(
    { weight: 8, arbitrary: good },
    {
      weight: 4,
      arbitrary: fc
        .tuple(good, name, oddValue, fc.boolean())
        .map(([text, member, value, isFirst]) => {
          const own = `"${member}":${value}`;
          return isFirst ? `{${own},${text.slice(1)}` : `${text.slice(0, -1)},${own}}`;
        }),
    },
    {
      weight: 3,
      arbitrary: fc
        .tuple(good, fc.nat(), fc.nat({ max: 3 }), fc.uint8Array({ maxLength: 3 }))
        .map(([text, at, length, put]) => {
          const start = at % (text.length + 1);
          return (
            text.slice(0, start) + Buffer.from(put).toString(LATIN1) + text.slice(start + length)
          );
        }),
    },
    fc.tuple(good, fc.nat()).map(([text, at]) => text.slice(0, at % text.length)),
    fc.tuple(good, good).map((texts) => texts.join('')),
    fc.tuple(good, fc.constantFrom('\r', ' ', '\t', '\0', '\r\r')).map((parts) => parts.join('')),
    good.map((text) => bytesOf('\ufeff') + text),
    fc.constantFrom('', ' ', '\r', '[]', 'null', '{}', '5', '"ping"', '{"command":"dance","id":1}'),
    oddValue,
    fc.uint8Array({ maxLength: 30 }).map((each) => Buffer.from(each).toString(LATIN1)),
  )
  .map((text) => text.replaceAll('\n', ''));

export interface Sent {
  readonly lines: readonly string[];
  /** Does the last one end? */
  readonly isWhole: boolean;
  /** Where the bytes are cut: each part is a write of its own. */
  readonly cuts: readonly number[];
  /** The client goes before it has read anything. */
  readonly leaves: boolean;
}

export const sent: fc.Arbitrary<Sent> = fc.record({
  lines: fc.oneof(
    { weight: 300, arbitrary: fc.array(line, { minLength: 1, maxLength: 5 }) },
    { weight: 1, arbitrary: line.map((each) => [`{"id":"${'x'.repeat(2_200_000)}"}`, each]) },
  ),
  isWhole: fc.nat({ max: 4 }).map((n) => n > 0),
  cuts: fc.array(fc.nat(), { maxLength: 4 }),
  leaves: fc.nat({ max: 19 }).map((n) => n === 0),
});
