/** What comes over the pipe between a daemon and its starter is a whole message of theirs, or an error that shows nothing. */
import assert from 'node:assert';
import { spawn } from 'node:child_process';
import type { Duplex, Writable } from 'node:stream';
import fc from 'fast-check';
import t from 'tap';
import { handOver, HandoverReceiver } from '../../lib/daemon/handover.js';
import { withBuffers, type Handover } from '../../lib/daemon/handover-messages.js';
import { duplexPair } from '../support/duplex-pair.js';
import { fuzz } from '../support/fuzz.js';
import { BINARY, makeHome } from '../support/midclt.js';

const SECRET = 'ExampleSecretOfTheLogin';

const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
const text = fc.oneof(fc.constantFrom('', 'x', SECRET, '\u001b[2J', '\ud800', 'a\nb'), fc.string());
const bytes = fc.uint8Array({ maxLength: 4 }).map((each) => Buffer.from(each));

const credential = fc.oneof(
  fc.record({ kind: fc.constant('password' as const), username: text, password: text }),
  fc.record({
    kind: fc.constant('api-key' as const),
    username: text,
    key: fc.oneof(
      fc.record({ kind: fc.constant('raw' as const), id: text, secret: text }),
      fc.record({
        kind: fc.constant('derived' as const),
        ...{ id: text, clientKey: bytes, storedKey: bytes, serverKey: bytes },
      }),
    ),
    mechanism: fc.constantFrom('SCRAM' as const, 'PLAIN' as const),
    ...{ channelBinding: fc.boolean(), force: fc.boolean() },
  }),
);

const handover: fc.Arbitrary<Handover> = fc.record({
  ...{ uri: orNull(text), username: orNull(text), lastCrash: orNull(text) },
  ...{ profiles: fc.array(text, { maxLength: 2 }) },
  ...{
    insecure: fc.boolean(),
    ca: orNull(text),
    caFile: orNull(text),
    credential: orNull(credential),
  },
  ...{ callTimeout: fc.nat(), lifetime: fc.nat(), logFile: orNull(text) },
  logLevel: fc.constantFrom('debug', 'info', 'warning', 'error'),
  ...{ concurrency: fc.nat(), linger: fc.nat(), maxConnections: fc.nat(), memory: fc.nat() },
});

const report = fc.oneof(
  fc.record({ kind: fc.constant('ready'), logFile: orNull(text) }),
  fc.record({ kind: fc.constant('failed'), code: orNull(fc.constant('LOGIN')), message: text }),
  fc.record({ kind: fc.constant('otp'), attempt: orNull(fc.nat()) }),
);
const code = fc.record({ otp: orNull(text) });

/** A message as it is, with something else in the place of a member, or cut, or hurt; or something else. */
function lineOf(message: fc.Arbitrary<object>): fc.Arbitrary<string> {
  const line = message.map((each) => JSON.stringify(each));
  const odd = fc.oneof(fc.jsonValue(), fc.constant(undefined));
  return fc.oneof(
    { weight: 4, arbitrary: line },
    fc.tuple(message, fc.nat(), odd).map(([each, at, value]) => {
      const names = Object.keys(each);
      return JSON.stringify({ ...each, [names[at % names.length] ?? '']: value });
    }),
    fc.tuple(line, fc.nat()).map(([each, at]) => each.slice(0, at % each.length)),
    fc
      .tuple(line, fc.nat(), fc.string({ minLength: 1, maxLength: 2, unit: 'binary' }))
      .map(
        ([each, at, put]) =>
          each.slice(0, at % each.length) + put + each.slice((at % each.length) + 1),
      ),
    fc.constantFrom('', 'null', '5', '[]', '{}', `"${SECRET}"`, SECRET, '\0', `{"${SECRET}`),
    fc.json(),
  );
}

interface Said {
  readonly lines: readonly string[];
  /** Is the last of them ended? */
  readonly isWhole: boolean;
  /** Where the bytes are cut in two. */
  readonly cut: number;
}

function said(...lines: readonly fc.Arbitrary<string>[]): fc.Arbitrary<Said> {
  return fc.record({
    lines: fc.tuple(...lines),
    isWhole: fc.nat({ max: 4 }).map((n) => n > 0),
    cut: fc.nat(),
  });
}

/** Both ends of a pipe; the first is gone when the other has ended, as a socket is. */
function pipePair(): [Duplex, Duplex] {
  const [ours, theirs] = duplexPair();
  ours.on('error', () => undefined);
  ours.once('end', () => ours.destroy());
  return [ours, theirs];
}

/** Resolves when all of it is written and the pipe's end, too. */
async function say(pipe: Writable, { lines, isWhole, cut }: Said): Promise<void> {
  const all = Buffer.from(lines.join('\n') + (isWhole ? '\n' : ''));
  const at = cut % (all.length + 1);
  pipe.on('error', () => undefined);
  pipe.write(all.subarray(0, at));
  await new Promise(setImmediate);
  pipe.end(all.subarray(at));
}

/** What was said, line by line as somebody else cuts and reads it. */
function heard({ lines, isWhole }: Said): unknown[] {
  const parts = (lines.join('\n') + (isWhole ? '\n' : '')).split(/\r?\n/);
  if (parts.at(-1) === '') parts.pop();
  return parts.map((part) => {
    try {
      // As it comes out of a pipe.
      return JSON.parse(Buffer.from(part).toString()) as unknown;
    } catch {
      return undefined;
    }
  });
}

const TYPES: Readonly<Record<string, readonly string[]>> = {
  ...{ uri: ['string', 'null'], username: ['string', 'null'], insecure: ['boolean'] },
  ...{
    ca: ['string', 'null'],
    caFile: ['string', 'null'],
    credential: ['object', 'null'],
    callTimeout: ['number', 'null'],
  },
  ...{ lifetime: ['number'], logFile: ['string', 'null'], logLevel: ['string'] },
  ...{
    concurrency: ['number'],
    linger: ['number'],
    maxConnections: ['number'],
    memory: ['number'],
  },
};

const typeOf = (value: unknown) => (value === null ? 'null' : typeof value);

function assertHarmless(error: unknown): void {
  assert.ok(error instanceof Error && error.name === 'MidcltError', String(error));
  assert.doesNotMatch(error.message, /\p{Cc}/u);
  assert.ok(!String(error.stack).includes(SECRET), error.message);
  assert.equal(error.cause, undefined);
}

/** What became of a promise within a few turns; null: nothing yet. */
async function outcomeOf<T>(promise: Promise<T>): Promise<{ value?: T; error?: unknown } | null> {
  const over = promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  let turns: Promise<null> = Promise.resolve(null);
  for (let i = 0; i < 20; i++) turns = turns.then(() => new Promise((r) => setImmediate(r, null)));
  return Promise.race([over, turns]);
}

t.test('a daemon takes whole settings or none', async (t) => {
  const home = makeHome(t);
  await fuzz(t, {
    name: 'handover, to the daemon',
    inputs: 250,
    arbitrary: fc.tuple(said(lineOf(handover)), said(lineOf(code)), fc.nat({ max: 99 })),
    check: async ([settings, answer, dice]) => {
      if (dice === 50) {
        await refuses(home, { ...settings, lines: [`${SECRET} ${settings.lines[0] ?? ''}`] });
        return;
      }
      const [first] = heard(settings);
      const [ours, theirs] = pipePair();
      theirs.resume();
      const receiver = new HandoverReceiver(ours);
      const received = outcomeOf(receiver.receive());
      await say(theirs, settings);
      const outcome = await received;
      assert.ok(outcome, 'it is over when the pipe is');
      ours.destroy();
      if (!outcome.value) {
        assertHarmless(outcome.error);
        return;
      }
      assert.deepEqual(outcome.value, first);
      const values: Record<string, unknown> = { ...outcome.value };
      for (const [name, types] of Object.entries(TYPES)) {
        assert.ok(types.includes(typeOf(values[name])), `${name}: ${JSON.stringify(values[name])}`);
      }
      withBuffers(outcome.value.credential);
      await asksCode(answer);
    },
  });
});

async function asksCode(answer: Said): Promise<void> {
  const [ours, theirs] = pipePair();
  theirs.resume();
  const receiver = new HandoverReceiver(ours);
  const asked = outcomeOf(receiver.askOtp(0));
  await say(theirs, answer);
  const outcome = await asked;
  ours.destroy();
  assert.ok(outcome);
  if (!('value' in outcome)) return assertHarmless(outcome.error);
  const [first] = heard(answer) as ({ otp?: unknown } | undefined)[];
  assert.ok(outcome.value === null || typeof outcome.value === 'string');
  assert.equal(outcome.value, first?.otp);
}

/** A process of the program, which hears it on that descriptor. */
async function refuses(home: string, settings: Said): Promise<void> {
  const child = spawn(
    'env',
    ['-u', 'NODE_OPTIONS', process.execPath, BINARY, 'daemon', '--handover-fd', '3'],
    {
      env: { PATH: process.env.PATH, HOME: home },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    },
  );
  const pipe = child.stdio[3] as unknown as Writable;
  let printed = '';
  for (const output of [child.stdout, child.stderr]) {
    output?.on('data', (data: Buffer) => (printed += data.toString()));
  }
  await say(pipe, settings);
  const ended = await new Promise((resolve) => child.on('close', resolve));
  assert.equal(ended, 1, printed);
  assert.match(printed, /^Error: .*\n$/);
  assert.ok(!printed.includes(SECRET), printed);
}

t.test('a starter takes whole reports or none', (t) =>
  fuzz(t, {
    name: 'handover, to the starter',
    inputs: 250,
    arbitrary: fc.tuple(handover, said(lineOf(report), lineOf(report)), orNull(text)),
    check: async ([settings, reports, otp]) => {
      const [ours, theirs] = pipePair();
      let sent = '';
      theirs.on('data', (data: Buffer) => (sent += data.toString()));
      const asked: (number | null)[] = [];
      const over = handOver(ours, settings, (attempt) => {
        asked.push(attempt);
        return Promise.resolve(otp);
      });
      const outcome = outcomeOf(over);
      await say(theirs, reports);
      const { value, error } = (await outcome) ?? {};
      ours.destroy();
      assert.ok(!sent.includes('\n') || sent.startsWith(`${JSON.stringify(settings)}\n`));
      for (const message of heard(reports) as (Record<string, unknown> | null | undefined)[]) {
        const { kind, logFile, message: words, code: why, attempt } = message ?? {};
        const isNamed = typeof logFile === 'string' || logFile === null;
        if (kind === 'ready' && isNamed) {
          assert.equal(value, logFile);
          assert.equal(error, undefined);
          return;
        }
        const isTold = typeof words === 'string' && (why === null || typeof why === 'string');
        if (kind === 'failed' && isTold) {
          assert.ok(error instanceof Error && error.name === 'MidcltError');
          assert.equal(error.message, words);
          return;
        }
        if (kind !== 'otp' || (attempt !== null && typeof attempt !== 'number')) {
          assertHarmless(error);
          return;
        }
        assert.equal(asked.shift(), attempt);
      }
      assert.deepEqual([value, error], [undefined, undefined], 'nothing was reported yet');
    },
  }),
);
