/** F36: an answer that is no JSON never gets into a frame; the frame is the daemon's own, whatever came. */
import t, { type Test } from 'tap';
import { startDaemon } from '../../support/daemon.js';
import { startHostileServer, type Heard, type Victim } from '../../support/hostile-server.js';
import { makeHome, midclt } from '../../support/midclt.js';
import { call, converse, type Conversation } from '../../support/wire.js';

const WIRES = ['jsonrpc', 'legacy'] as const;
const LONG = 'x'.repeat(20_000);
const LONGER = 'x'.repeat(9 * 1024 * 1024);

/** What stands where a value should, and is none. */
const NO_JSON: Readonly<Record<string, string>> = {
  'brackets that do not match': '[}',
  'the same, large': `["${LONG}"}`,
  'a bracket too many': '[1]]',
  'a bracket that is missing': '{"a": [1}',
  'a raw newline in a string': '"a\nb"',
  'a control character in a string': '"a\u0001b"',
  'the same, far behind': `"${LONGER}\u0001b"`,
  'a control character between values': '[1,\u00002]',
  'a word that is none': 'nul',
  'two values': '1 2',
  'a number that is none': '01',
  'half a number': '-',
  'a comma too many': '[1, ]',
  'a key without a value': '{"a"}',
  'a key that is no string': '{1: 2}',
  'an escape that is none': '"\\x"',
  'half an escape': '"\\u12g4"',
  'a string without an end': '"a',
};

/** Members that would be taken for the frame's own, behind a value that is fine. */
const EXTRA = '"id": "evil", "type": {"result": 1}';

async function start(t: Test, wire: (typeof WIRES)[number], answer: Answer) {
  const { uris } = await startHostileServer(t, { onRequest: answer });
  const around = { home: makeHome(t), uri: '', sandbox: undefined as never };
  return startDaemon(t, { around, uri: uris[wire] });
}

type Answer = (victim: Victim, heard: Heard) => void;

/** The message as the middleware lays it out, with any text in the place of the result. */
function layOut(isLegacy: boolean, id: string, what: string): string {
  return isLegacy
    ? `{"id": "${id}", "msg": "result", ${what}}`
    : `{"jsonrpc": "2.0", ${what}, "id": "${id}"}`;
}

/** The next line, which has to be an error of the daemon's own making. */
async function refused(t: Test, client: Conversation, name: string): Promise<void> {
  const line = await client.line();
  t.equal(line.split('"id":').length, 2, `${name}: one id`);
  t.match(
    JSON.parse(line),
    {
      type: 'error',
      id: 'mine',
      error: /^The middleware's answer to test\.echo is not valid JSON \(byte \d+\); .*unknown/,
      error_type: 'ClientException',
      trace: null,
      extra: null,
    },
    name,
  );
}

for (const wire of WIRES) {
  t.test(`F36: a result that is no JSON is an error of its call alone (${wire})`, async (t) => {
    let held: (() => void)[] = [];
    const daemon = await start(t, wire, (victim, { id, method, params }) => {
      if (method === 'test.hold') {
        held.push(() => {
          victim.answer(id, JSON.stringify(params[0]));
        });
        return;
      }
      const [kind, name] = params as [string, string];
      const odd = NO_JSON[name] ?? '';
      if (kind === 'result') victim.say(layOut(victim.isLegacy, id, `"result": ${odd}`));
      if (kind === 'otherwise') victim.answer(id, odd);
      const error = `"code": -32001, "message": "m", "data": {"error": 14, "reason": "r", ${kind}}`;
      const legacy = `"error": 14, "reason": "r", ${kind}`;
      const text = (victim.isLegacy ? legacy : error).replaceAll('ODD', odd);
      if (kind.includes('ODD')) victim.say(layOut(victim.isLegacy, id, `"error": {${text}}`));
    });
    const client = await converse(t, daemon.socket);
    const other = await converse(t, daemon.socket);
    for (const name of Object.keys(NO_JSON)) {
      for (const kind of ['result', 'otherwise', '"trace": ODD', '"extra": ODD, "x": 1']) {
        other.send(call('test.hold', `["${name}"]`));
        client.send(call('test.echo', JSON.stringify([kind, name]), {}, { id: 'mine' }));
        await refused(t, client, `${kind}, ${name}`);
        while (held.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        for (const answer of held) answer();
        held = [];
        t.same(await other.frame(), { type: 'result', result: name }, 'the other call lives');
      }
    }
    t.equal(client.lines.length, Object.keys(NO_JSON).length * 4, 'a frame each');
    const args = ['call', 'test.echo', 'result', 'a raw newline in a string'];
    for (const mode of [['-d'], []]) {
      const run = await midclt(['-u', daemon.uri, ...mode, ...args], daemon);
      t.match(run, { code: 1, stdout: '', stderr: /^[^\n]*not valid JSON[^\n]*\n$/ });
    }
  });

  t.test(`F36: members beside a result stay out of the frame (${wire})`, async (t) => {
    const values = ['1', `{"a": "${LONG}"}`, `["${LONG}"]`, `"${LONG}"`, `{"a": "${LONGER}"}`];
    const daemon = await start(t, wire, ({ say, isLegacy }, { id, params }) => {
      const [kind, index] = params as [string, number];
      const result = `"result": ${values[index]}`;
      const extra = EXTRA.replace('"id"', '"Id"');
      if (kind === 'behind') say(layOut(isLegacy, id, `${result}, ${extra}`));
      else if (isLegacy) say(`{"msg": "result", ${result}, ${EXTRA}, "id": "${id}"}`);
      else say(`{"jsonrpc": "2.0", ${result}, ${EXTRA}, "id": "${id}"}`);
    });
    const client = await converse(t, daemon.socket);
    for (const index of values.keys()) {
      for (const kind of ['behind', 'twice']) {
        client.send(
          call('test.echo', JSON.stringify([kind, index]), {}, { id: 'mine', keep: true }),
        );
        const expected = `{"type":"result","id":"mine","result":${values[index]}}`;
        t.ok((await client.line()) === expected, `${kind}, ${values[index]?.slice(0, 20)}`);
      }
    }
  });

  t.test(`F36: events that are no JSON stay out of a job's frames (${wire})`, async (t) => {
    const daemon = await start(t, wire, (victim, { id, method }) => {
      if (method !== 'test.job') return;
      const event = (members: string) => {
        const names = `"message_ids": ["${id}"], "method": "test.job", "time_started": 5`;
        victim.event(`{"id": 1, ${names}, ${members}}`);
      };
      const progress = (text: string) => `"state": "RUNNING", "progress": ${text}`;
      event(progress('{"percent": 1, "description": "first"}'));
      victim.answer(id, '1');
      for (const odd of Object.values(NO_JSON)) {
        event(progress(`{"percent": ${odd}, "description": "odd"}`));
        event(progress(`{"percent": 2, "description": ${odd}}`));
        event(`"state": "SUCCESS", "result": ${odd}`);
      }
      event(progress('{"percent": 3, "description": "last"}'));
      event('"state": "SUCCESS", "progress": null, "result": [1,  2]');
    });
    const client = await converse(t, daemon.socket);
    client.send(call('test.job', '[]', { job: true }, { id: 'mine' }));
    const frames = await client.answer();
    t.equal(client.lines.at(-1), '{"type":"result","id":"mine","result":[1,  2]}');
    const shown = frames.map(({ description }) => description);
    t.same(
      new Set(shown.filter((text) => text !== null && text !== undefined)),
      new Set(['first', 'last']),
    );
  });
}
