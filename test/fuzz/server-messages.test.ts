/** F36: whatever a server says, each call ends, with its own answer or an error, and nothing said drives a terminal. */
import assert from 'node:assert';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { LogPrinter } from '../../lib/daemon/log/reader.js';
import { isMidcltError } from '../../lib/errors.js';
import { integerOf, stringOf } from '../../lib/json/members.js';
import { Connection } from '../../lib/middleware/connection.js';
import { JobEvents, relationOf } from '../../lib/middleware/jobs/events.js';
import { DEFAULT_POLICY } from '../../lib/middleware/login/reconnect-policy.js';
import { Subscriptions } from '../../lib/middleware/subscriptions.js';
import { parseTarget } from '../../lib/middleware/uri.js';
import { jobFailure } from '../../lib/middleware/wire/failure.js';
import { stripControls } from '../../lib/text/terminal.js';
import { fuzz } from '../support/fuzz.js';
import { until } from '../support/midclt.js';
import { FATAL } from '../support/garbage.js';
import { frame, startHostileServer, type Heard, type Victim } from '../support/hostile-server.js';
import {
  CALLS,
  isRefusal,
  message,
  OLD,
  readingOf,
  type Outcome,
} from '../support/server-words.js';

type Act =
  | { readonly kind: 'text' | 'binary' | 'fragments'; readonly text: string }
  | { readonly kind: 'close'; readonly reason: string }
  | { readonly kind: 'fatal'; readonly name: string }
  | { readonly kind: 'turn' };

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 30, arbitrary: fc.record({ kind: fc.constant('text' as const), text: message }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('binary', 'fragments'), text: message }),
  },
  { weight: 4, arbitrary: fc.constant<Act>({ kind: 'turn' }) },
  fc.constantFrom(...Object.keys(FATAL)).map((name): Act => ({ kind: 'fatal', name })),
  fc
    .oneof(fc.constantFrom('\u001b[2J', 'a\nb', '\u009b2J'), fc.string({ maxLength: 20 }))
    .map((reason): Act => ({ kind: 'close', reason })),
);

interface Input {
  readonly calls: number;
  readonly acts: readonly Act[];
}

const input: fc.Arbitrary<Input> = fc.record({
  calls: fc.integer({ min: 1, max: CALLS.length }),
  acts: fc.array(act, { maxLength: 8 }),
});

const ends = ({ kind }: Act) => kind === 'fatal' || kind === 'close';

/** One connection for all inputs: what one of them does to it the next ones would find. */
class Stage {
  /** What was said, in its order, with the ids in their places. */
  said: string[] = [];
  heard: Heard[] = [];
  wanted: Input = { calls: 0, acts: [] };
  /** What must not have happened. */
  readonly wrong: string[] = [];
  private old = 'nobody';
  /** What the server does of the input is done. */
  private played: Promise<unknown> = Promise.resolve();
  /** When each was made. */
  private connections: readonly number[] = [];
  private connection!: Connection;
  private readonly printer = new LogPrinter({ json: false, isTerminal: true });

  constructor(private readonly wire: 'jsonrpc' | 'legacy') {}

  async open(t: Test): Promise<void> {
    const { uris, connections } = await startHostileServer(t, {
      onRequest: (victim, heard) => {
        const { played } = this;
        const request = this.onRequest(victim, heard);
        this.played = Promise.all([played, request]).catch((error: unknown) => {
          this.wrong.push(String(error));
        });
      },
    });
    this.connections = connections;
    this.connection = new Connection({
      target: parseTarget(uris[this.wire]),
      credential: null,
      log: (level, event, fields) => {
        const line = JSON.stringify({ level, event, ...fields });
        this.tell(this.printer.print(Buffer.from(line)).toString().slice(0, -1), 'log');
      },
      policy: { ...DEFAULT_POLICY, shortest: 1, longest: 5 },
    });
    t.teardown(() => {
      this.connection.close();
    });
    const stray = (reason: unknown) => this.wrong.push(`rejected: ${String(reason)}`);
    process.on('unhandledRejection', stray);
    t.teardown(() => process.off('unhandledRejection', stray));
    await this.connection.open();
    await this.listen();
  }

  async check(wanted: Input): Promise<void> {
    Object.assign(this, { wanted, said: [], heard: [] });
    const made = this.connections.length;
    const calls = CALLS.slice(0, wanted.calls).map((_, i) => this.call(i));
    const outcomes = await Promise.all(calls);
    await this.played;
    const mayBeLost = wanted.acts.some(ends);
    if (mayBeLost) await until('another connection', () => this.connections.length > made);
    await this.connection.ready(null, 20_000);
    assert.equal(this.connections.length, mayBeLost ? made + 1 : made, 'connections');
    for (const [i, outcome] of outcomes.entries()) this.assertOwn(i, outcome, mayBeLost);
    assert.deepEqual(this.wrong.splice(0), []);
    this.old = this.heard[0]?.id ?? this.old;
  }

  private async call(i: number): Promise<Outcome> {
    try {
      const params = Buffer.from(JSON.stringify([i]));
      const result = await this.connection.call('test.echo', params, { timeout: 20_000 });
      return { result: result.toString(), code: null };
    } catch (error) {
      assert.ok(isMidcltError(error), String(error));
      const isServers = error.code === 'CALL';
      this.tell(stripControls(`Error: ${error.message}`, '\t\n'), isServers ? 'words' : 'error');
      return { result: null, code: error.code };
    }
  }

  /** The first message that answered it, if any, else the proper answer. */
  private assertOwn(i: number, outcome: Outcome, mayBeLost: boolean): void {
    const { said, wire } = this;
    const id = this.heard.find(({ params }) => params[0] === i)?.id ?? '';
    if (mayBeLost && ['LOST', 'CLOSED'].includes(outcome.code ?? '')) return;
    if (outcome.result === String(i) && said.some(isRefusal)) return;
    for (const text of said) {
      const { isEnd, allows } = readingOf(text, id, wire);
      if (allows(outcome)) return;
      if (isEnd) break;
    }
    assert.fail(`call ${i} (${id}) ended with ${JSON.stringify(outcome)} after ${said.join('\n')}`);
  }

  private async onRequest(victim: Victim, heard: Heard): Promise<void> {
    const isAgain = this.heard.some(({ params }) => params[0] === heard.params[0]);
    this.heard.push(heard);
    if (heard.method !== 'test.echo' || isAgain) {
      victim.answer(heard.id, JSON.stringify(heard.params[0] ?? null));
      return;
    }
    if (this.heard.length !== this.wanted.calls) return;
    const ids = new Map<string, string>(
      this.heard.map(({ params, id }) => [CALLS[Number(params[0])] ?? '', id]),
    );
    const named = (text: string) =>
      text.replace(/[\ue000-\ue00f]/g, (place) =>
        place === OLD ? this.old : (ids.get(place) ?? 'nobody'),
      );
    for (const each of this.wanted.acts) {
      await this.play(victim, each, named);
      if (ends(each)) return;
    }
    // What is not answered by now is answered properly.
    for (const { id, params } of this.heard.slice(0, this.wanted.calls)) {
      const text = JSON.stringify(params[0]);
      const members = `"id": "${id}", "result": ${text}`;
      const answer = this.wire === 'legacy' ? `{"msg": "result", ${members}}` : `{${members}}`;
      this.said.push(answer);
      victim.say(answer);
    }
  }

  private async play(victim: Victim, each: Act, named: (text: string) => string): Promise<void> {
    switch (each.kind) {
      case 'text':
        this.said.push(inUtf8(named(each.text)));
        victim.say(named(each.text));
        return;
      case 'binary':
        victim.socket.send(Buffer.from(named(each.text)), { binary: true }, () => undefined);
        return;
      case 'fragments': {
        const bytes = Buffer.from(named(each.text));
        this.said.push(bytes.toString());
        const half = bytes.length >> 1;
        const [first, second] = [bytes.subarray(0, half), bytes.subarray(half)];
        victim.raw(Buffer.concat([frame(0x01, first), frame(0x89, 'x'), frame(0x80, second)]));
        return;
      }
      case 'close':
        victim.socket.close(
          4000,
          Buffer.from(each.reason).subarray(0, 100).toString().slice(0, 40),
        );
        return;
      case 'fatal':
        FATAL[each.name]?.(victim);
        return;
      case 'turn':
        await new Promise(setImmediate);
    }
  }

  /** What a person is told. An error of the server's own may have several lines. */
  private tell(text: string, what: 'log' | 'error' | 'words'): void {
    const lines = what === 'words' ? text.split('\n') : [text];
    if (lines.some((line) => /(?!\t)\p{Cc}/u.test(line)))
      this.wrong.push(`${what}: ${JSON.stringify(text)}`);
  }

  /** Events reach those who read them most closely. */
  private async listen(): Promise<void> {
    const events = new JobEvents(this.connection, {
      onEvent: (jobId, fields, isAdded) => {
        for (const isNamed of [true, false]) {
          const request = {
            id: 'nobody',
            method: 'test.echo',
            params: Buffer.from('[1]'),
            isNamed,
          };
          relationOf(request, fields, isAdded);
        }
        assert.equal(integerOf(fields.get('id')), jobId);
        const state = stringOf(fields.get('state')) ?? '';
        const { message: words } = jobFailure(jobId, state, fields);
        this.tell(stripControls(words, '\t\n'), 'words');
      },
      onUntold: () => undefined,
    });
    await events.subscribe(20_000, null);
    const nothing = () => undefined;
    const listener = { onEvent: nothing, onLoss: nothing, onGap: nothing, onEnd: nothing };
    for (const event of ['*', 'x']) {
      await new Subscriptions(this.connection).subscribe(event, listener, 20_000);
    }
  }
}

/** A lone surrogate is sent as U+FFFD. */
const inUtf8 = (text: string) => Buffer.from(text).toString();

for (const wire of ['jsonrpc', 'legacy'] as const) {
  t.test(`F36: a hostile server's messages (${wire})`, async (t) => {
    const stage = new Stage(wire);
    await stage.open(t);
    await fuzz(t, {
      name: `server messages, ${wire}`,
      inputs: 2000,
      arbitrary: input,
      // The reason stood in the error of the call as the server had written it.
      examples: [{ calls: 1, acts: [{ kind: 'close', reason: 'a\nb' }] }],
      check: (each) => stage.check(each),
    });
  });
}
