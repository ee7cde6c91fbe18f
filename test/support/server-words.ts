/** Random messages of a hostile server, made by fast-check, and what somebody else reads in them. */
import fc from 'fast-check';

/** In the place of the ids of an input's calls, and of one that is long over. */
export const CALLS = ['\ue000', '\ue001', '\ue002'] as const;
export const OLD = '\ue00f';

const quoted = (text: string) => `"${text}"`;
const one = fc.constantFrom<string>(...CALLS);
const id = fc.oneof(
  { weight: 8, arbitrary: one.map(quoted) },
  fc.constantFrom(quoted(OLD), '"nobody"', '1', '-1', '1e999', 'null', 'true', '""', '[]', '{}'),
  one.map((each) => `["${each}"]`),
);

/** Values in spellings that a reader could lose. */
const value = fc.oneof(
  { weight: 3, arbitrary: fc.json({ maxDepth: 2 }) },
  fc.constantFrom(
    ...[
      '2.0',
      '18446744073709551615',
      '-0',
      '1E400',
      'NaN',
      '-Infinity',
      '"\\ud800"',
      '"\\u001b[2J"',
    ],
    ...['"a\\nb"', '"\\u009b2J"', '[ 1,\n2 ]', '{"a":1,"a":2}', '"\u2028"', '""', 'null', '[[5]]'],
    `"${'x'.repeat(3000)}"`,
  ),
);

const extra = fc.oneof(
  value,
  fc
    .array(
      fc.tuple(value, value, value).map((each) => `[${each.join(',')}]`),
      { maxLength: 2 },
    )
    .map((each) => `[${each.join(',')}]`),
);

function object(members: Readonly<Record<string, fc.Arbitrary<string>>>): fc.Arbitrary<string> {
  return fc
    .record(members, { requiredKeys: [] })
    .map((each) => Object.entries(each).map(([name, text]) => `"${name}": ${text}`))
    .map((each) => `{${each.join(', ')}}`);
}

const data = object({
  error: fc.oneof(fc.constantFrom('22', '109', '207'), value),
  reason: fc.oneof(fc.constantFrom('"[EFAULT] x"', '"Not authenticated"'), value),
  ...{ trace: value, extra, type: fc.oneof(fc.constant('"VALIDATION"'), value) },
});
const error = fc.oneof(
  object({
    code: fc.oneof(fc.constantFrom('-32001', '-32602', '-32601', '-32603'), value),
    message: value,
    data,
  }),
  { weight: 1, arbitrary: fc.constant('{"code": -32000, "message": "too many"}') },
  data,
  value,
);

/** As the middleware lays them out. */
const answer = fc.oneof(
  fc.tuple(id, value).map(([to, text]) => `{"jsonrpc": "2.0", "result": ${text}, "id": ${to}}`),
  fc.tuple(id, error).map(([to, text]) => `{"jsonrpc": "2.0", "error": ${text}, "id": ${to}}`),
);
const legacyAnswer = fc.oneof(
  fc.tuple(id, value).map(([to, text]) => `{"id": ${to}, "msg": "result", "result": ${text}}`),
  fc.tuple(id, error).map(([to, text]) => `{"id": ${to}, "msg": "result", "error": ${text}}`),
  id.map((to) => `{"msg": "ready", "subs": [${to}]}`),
);

const job = object({
  id: fc.oneof(fc.constantFrom('1', '77'), value),
  message_ids: fc.oneof(
    id.map((each) => `[${each}]`),
    value,
  ),
  method: fc.oneof(fc.constant('"test.echo"'), value),
  state: fc.oneof(fc.constantFrom('"SUCCESS"', '"FAILED"', '"RUNNING"'), value),
  exc_info: fc.oneof(data, value),
  ...{ progress: value, arguments: value, result: value, error: value, exception: value },
});
const happening = fc
  .record({
    msg: fc.oneof(fc.constantFrom('"added"', '"changed"', '"removed"', '"nosub"'), value),
    collection: fc.oneof(fc.constantFrom('"core.get_jobs"', '"core.get_jobs"', '"x"'), value),
    id: fc.oneof(id, value),
    fields: fc.oneof(job, value),
    error: fc.option(error, { nil: undefined }),
  })
  .map((each) =>
    Object.entries(each)
      .filter(([, text]) => text !== undefined)
      .map(([name, text]) => `"${name}": ${text}`)
      .join(', '),
  )
  .map((each) => `{${each}}`);
const notification = fc
  .tuple(
    fc.oneof(fc.constantFrom('"collection_update"', '"notify_unsubscribed"', '"x"'), value),
    fc.oneof({ weight: 4, arbitrary: happening }, value),
  )
  .map(([method, params]) => `{"jsonrpc": "2.0", "method": ${method}, "params": ${params}}`);

/** Members of both wires in any mixture. */
const mixture = object({
  ...{ id, jsonrpc: value, result: value, error },
  msg: fc.oneof(
    fc.constantFrom('"result"', '"ready"', '"connected"', '"failed"', '"nosub"'),
    value,
  ),
  method: fc.oneof(fc.constant('"collection_update"'), value),
  ...{ params: value, subs: id.map((each) => `[${each}]`), version: value },
});

const sensible = fc.oneof(
  { weight: 4, arbitrary: answer },
  { weight: 4, arbitrary: legacyAnswer },
  { weight: 2, arbitrary: notification },
  { weight: 2, arbitrary: happening },
  { weight: 2, arbitrary: mixture },
);

export const message: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: sensible },
  fc
    .tuple(sensible, fc.nat(), fc.nat({ max: 3 }), fc.string({ maxLength: 3, unit: 'binary' }))
    .map(([text, at, length, put]) => {
      const start = at % (text.length + 1);
      return text.slice(0, start) + put + text.slice(start + length);
    }),
  fc.tuple(sensible, sensible).map((texts) => texts.join('')),
  fc.string({ unit: 'binary', maxLength: 20 }),
  value,
);

/** What one message may make of a call, and whether that is the end of it. */
export interface Reading {
  readonly isEnd: boolean;
  /** May the call end with this result? */
  readonly allows: (outcome: Outcome) => boolean;
}

export interface Outcome {
  /** The result as it is spelled, or null for an error. */
  readonly result: string | null;
  readonly code: string | null;
}

const NOTHING: Reading = { isEnd: false, allows: () => false };

/** Reads a message as JSON.parse does: what it is to the call with that id. */
export function readingOf(text: string, call: string, wire: 'jsonrpc' | 'legacy'): Reading {
  let members: unknown;
  try {
    members = JSON.parse(text);
  } catch {
    if (!text.includes(call)) return NOTHING;
    // Python's numbers, or no JSON: then the call may end with an error that says so.
    const isPython = /NaN|Infinity/.test(text);
    return {
      isEnd: false,
      allows: ({ result, code }) =>
        code === 'PROTOCOL' ||
        (isPython && result === 'null') ||
        (isPython && (code === 'CALL' || text.includes(result ?? '\0'))),
    };
  }
  if (typeof members !== 'object' || members === null || Array.isArray(members)) return NOTHING;
  const { id: to, msg, method, subs, ...own } = members as Record<string, unknown>;
  if (wire === 'legacy' && msg === 'ready') {
    const isFirst = Array.isArray(subs) && subs[0] === call;
    return isFirst ? { isEnd: true, allows: ({ result }) => result === 'null' } : NOTHING;
  }
  const isAnswer = wire === 'legacy' ? msg === 'result' : typeof method !== 'string';
  if (!isAnswer || to !== call) return NOTHING;
  if (Object.hasOwn(own, 'error')) return { isEnd: true, allows: ({ code }) => code === 'CALL' };
  if (!Object.hasOwn(own, 'result') && wire === 'jsonrpc') return NOTHING;
  const expected = JSON.stringify(own.result ?? null);
  return {
    isEnd: true,
    allows: ({ result }) =>
      result !== null &&
      (result === 'null' || text.includes(result)) &&
      JSON.stringify(JSON.parse(result)) === expected,
  };
}

/** The server has not run it, and it is sent again. */
export function isRefusal(text: string): boolean {
  return /-32000|Not authenticated|\b109\b/.test(text);
}
