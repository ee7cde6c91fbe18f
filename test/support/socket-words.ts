/** Random lines for the daemon's socket, made by fast-check, and what docs/PROTOCOL.md says of each. */
import { isUtf8 } from 'node:buffer';
import assert from 'node:assert';
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

type Members = Readonly<Record<string, unknown>>;
export type Frame = Members & { readonly type: string };

/** What may be said to a line. */
export interface Expected {
  /** Throws for an answer that the line must not have. */
  readonly check: (final: Frame) => void;
  /** Throws for a frame that has not its id. */
  readonly checkId: (frame: Frame, text: string) => void;
  /** Its answer is text: with its size before it, or one whose end can't be told. */
  readonly text: 'no' | 'sized' | 'endless' | 'unknown';
  /** It may last as long as nobody ends it. */
  readonly mayLast: boolean;
  readonly mayClose: boolean;
}

/** Verbs and members as docs/PROTOCOL.md lists them. */
const COMMANDS = ['call', 'ping', 'subscribe', 'follow', 'status', 'stop', 'cli-call', 'cli-ping'];
const MEMBERS = [
  ...['command', 'method', 'params', 'kwargs', 'job', 'timeout', 'event', 'number', 'id', 'close'],
  ...['keep', 'if_idle', 'version', 'protocol', 'not_sent', 'error_code', 'job_id', 'insecure'],
  ...['args', 'terminal', 'sized', 'least'],
];
const FLAGS = ['close', 'keep', 'job_id', 'not_sent', 'error_code', 'insecure'];

export function expectedOf(text: string): Expected {
  const bytes = Buffer.from(text, LATIN1);
  const shown = bytes.toString();
  const isLong = text.length > 2_101_248;
  const mayLast = /subscribe|follow|sleep|test\.job|\\u/.test(shown);
  const mayClose = /close|\\u/.test(shown);
  let members: unknown;
  let isJson = isUtf8(bytes) && !isLong;
  try {
    members = isJson ? JSON.parse(shown) : undefined;
  } catch {
    isJson = false;
  }
  // Python's JSON has more than JSON.parse's.
  const isPython = !isJson && isUtf8(bytes) && !isLong && /NaN|Infinity/.test(shown);
  const spelledId = (frame: Frame, answer: string) => {
    if (!Object.hasOwn(frame, 'id')) return;
    const [, id = ''] =
      /^\{"type":"\w+","id":(.*?),"(?:error|result|percent|event|daemon|gap)"/.exec(answer) ?? [];
    assert.ok(id !== '' && shown.includes(id), `an id that was not sent: ${answer}`);
  };
  const isError = ({ type }: Frame) => {
    assert.equal(type, 'error', shown);
  };
  if (isPython) {
    const isShell = /cli-|\\u/.test(shown);
    const check = () => undefined;
    return { check, checkId: spelledId, text: isShell ? 'unknown' : 'no', mayLast, mayClose };
  }
  if (!isJson || typeof members !== 'object' || members === null || Array.isArray(members)) {
    return { check: isError, checkId: spelledId, text: 'no', mayLast: false, mayClose: false };
  }
  const own = members as Members;
  const checkId = (frame: Frame, answer: string) => {
    if (isDeep(shown) || /\[{450}|\$/.test(shown)) {
      spelledId(frame, answer);
      return;
    }
    assert.equal(Object.hasOwn(frame, 'id'), Object.hasOwn(own, 'id'), `${shown} ${answer}`);
    assert.deepEqual(frame.id, own.id);
  };
  const isShell = own.command === 'cli-call' || own.command === 'cli-ping';
  const shell = own.sized === true ? 'sized' : 'endless';
  return {
    check:
      isWrong(own) || isDeep(shown)
        ? isError
        : (final) => {
            if (!/\[{450}/.test(shown)) checkAnswer(own, final);
          },
    checkId,
    text: isShell ? shell : 'no',
    ...{ mayLast, mayClose },
  };
}

/** Nested so deep, or with such a number, that it is refused as what is no JSON is; an id is not looked for. */
function isDeep(text: string): boolean {
  return /\[{501}|\d{4301}/.test(text);
}

function isWrong(own: Members): boolean {
  const { command, version, method: called, params: list, args, kwargs: more, timeout } = own;
  if (typeof command !== 'string' || !COMMANDS.includes(command)) return true;
  if (FLAGS.some((flag) => ![undefined, null, true, false].includes(own[flag] as boolean)))
    return true;
  if (typeof version !== 'string' && Object.keys(own).some((each) => !MEMBERS.includes(each)))
    return true;
  if (command === 'call') {
    if (typeof called !== 'string' || called === '') return true;
    if (args === undefined && list != null && !Array.isArray(list)) return true;
    if (more != null && (typeof more !== 'object' || Array.isArray(more))) return true;
  }
  if (['ping', 'subscribe', 'follow'].includes(command) && timeout != null) {
    return typeof timeout !== 'number' || timeout <= 0;
  }
  return false;
}

/** Of requests that nothing is special about, the answer is known. */
function checkAnswer(own: Members, final: Frame): void {
  const plain = [
    'command',
    'id',
    'keep',
    'close',
    'job_id',
    'not_sent',
    'error_code',
    'method',
    'params',
  ];
  if (!Object.keys(own).every((each) => plain.includes(each))) return;
  if (typeof own.method !== 'string' && 'method' in own) return;
  if ('params' in own && !Array.isArray(own.params)) return;
  const { command, method: called, params: list } = own;
  if (JSON.stringify(list ?? null).includes('"$')) return;
  if (command === 'ping') assert.equal(final.result, 'pong');
  else if (command === 'status') assert.equal(typeof (final.result as Members).pid, 'number');
  else if (command === 'call' && called === 'test.echo') assert.deepEqual(final.result, list ?? []);
}

/** The members of each kind of frame, in their order. */
const SHAPES: Readonly<Record<string, RegExp>> = {
  result: /^type,(id,)?(daemon,)?result$/,
  error: /^type,(id,)?(daemon,)?error,error_type,trace,extra(,not_sent)?(,outcome)?(,code)?$/,
  progress: /^type,(id,)?percent,description,state(,job_id)?(,abortable)?$/,
  event: /^type,(id,)?(event|gap)$/,
};

/** A line of the daemon as a frame; throws where it is none. */
export function frameOf(text: string): Frame {
  let frame: Frame;
  try {
    frame = JSON.parse(text) as Frame;
  } catch {
    // What was sent as Python's JSON may come back as that.
    frame = JSON.parse(text.replace(/-?\b(NaN|Infinity)\b/g, 'null')) as Frame;
  }
  const shape = SHAPES[frame.type];
  assert.ok(shape?.test(Object.keys(frame).join(',')), `no frame: ${text.slice(0, 500)}`);
  if (frame.type === 'error') {
    assert.equal(typeof frame.error, 'string');
    assert.match(String(frame.error_type), /^\w+$/);
  }
  return frame;
}
