import t from 'tap';
import { jsonrpc } from '../../../../lib/middleware/wire/wire.js';
import { Scan } from '../../../../lib/json/members.js';

const LONG = 'x'.repeat(20_000);
const decode = (text: string) => {
  const scan = new Scan(Buffer.from(text));
  if (scan.step(Infinity) !== 'valid') return { kind: 'no JSON' };
  const message = jsonrpc.decode(scan.members(), Buffer.from(text));
  return message.kind === 'result'
    ? { id: message.id, result: message.result.toString() }
    : { kind: message.kind };
};

t.test('a large result is found by its place as it is by reading', async (t) => {
  const results = [
    `"${LONG}"`,
    `{"a": "${LONG}"}`,
    `[1, {"a": "${LONG}", "id": "other-1"}]`,
    `{"a": "${LONG}", "id": "other-1"}`,
    `"${LONG}, \\"id\\": \\"other-1\\"}"`,
    `"${LONG}\\\\"`,
    `[${'1, '.repeat(10_000)}NaN]`,
  ];
  for (const result of results) {
    const laidOut = `{"jsonrpc": "2.0", "result": ${result}, "id": "abc-7"}`;
    t.same(decode(laidOut), { id: 'abc-7', result });
    const otherwise = `{"id": "abc-7", "jsonrpc": "2.0", "result": ${result}}`;
    t.same(decode(otherwise), { id: 'abc-7', result }, 'laid out in another way');
    const compact = `{"jsonrpc":"2.0","result":${result},"id":"abc-7"}`;
    t.same(decode(compact), { id: 'abc-7', result });
  }
});

t.test('what only looks like it is read', async (t) => {
  t.same(decode(`{"jsonrpc": "2.0", "result": {"a": "${LONG}", "id": "abc-7"}`), {
    kind: 'no JSON',
  });
  t.same(decode(`{"jsonrpc": "2.0", "result": "${LONG}", "id": 7}`), { kind: 'unknown' });
  t.same(decode(`{"jsonrpc": "2.0", "result": "${LONG}"}`), { kind: 'unknown' });
});
