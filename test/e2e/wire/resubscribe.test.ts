/** `subscribe` to an event that somebody has just left: each subscription at the middleware ends before the next one. */
import t from 'tap';
import { startDaemon } from '../../support/daemon.js';
import { readMessage, startBetween } from '../../support/faults.js';
import { until } from '../../support/midclt.js';
import { converse, type Frame } from '../../support/wire.js';

function subscribe(event: string, more: object = {}): string {
  return `${JSON.stringify({ command: 'subscribe', event, ...more })}\n`;
}

const TICKER = 'test.ticker:{"interval": 0.01, "count": 1000}';
const TWO = [
  { type: 'event', event: { fields: { n: 0 } } },
  { type: 'event', event: { fields: { n: 1 } } },
  { type: 'result', result: 'number' },
];

const isSubscription = (text: string) => /"msg": "sub"|"core\.subscribe"/.test(text);
const isEnd = (text: string) => /"msg": "unsub"|"core\.unsubscribe"/.test(text);

for (const wire of ['', ':/websocket'])
  t.test(`who comes as the last subscriber of a source leaves has all of it${wire}`, async (t) => {
    const around = await startDaemon(t);
    const daemon =
      wire === '' ? around : await startDaemon(t, { around, uri: `${around.uri}${wire}` });
    const { received } = daemon.sandbox;
    const reader = await converse(t, daemon.socket);
    reader.send(subscribe(TICKER, { number: 2, keep: true }).repeat(4));
    for (let round = 1; round <= 4; round++) {
      const frames: Frame[] = [];
      do frames.push(await reader.frame());
      while (frames.at(-1)?.type === 'event');
      t.match(frames, TWO, `round ${round}`);
      t.equal(frames.length, 3);
    }
    t.equal(received.filter(isSubscription).length, 4);
    await until('the end of each', () => received.filter(isEnd).length === 4);
    // An event that is no source ends without a notification.
    reader.send(subscribe('test.event', { timeout: 0.05, keep: true }).repeat(2));
    for (let i = 0; i < 2; i++) t.match(await reader.frame(), { result: 'timeout' });
  });

/** A daemon whose unsubscriptions go no further until they are let through. */
async function startHolding(t: Parameters<typeof startBetween>[0], env: NodeJS.ProcessEnv = {}) {
  const held: (() => void)[] = [];
  let cut = (): void => undefined;
  const daemon = await startBetween(
    t,
    {
      up: (message, between) => {
        ({ cut } = between);
        if (readMessage(message).method !== 'core.unsubscribe') return message;
        held.push(() => between.toServer(message));
        return null;
      },
    },
    {},
    env,
  );
  const first = await converse(t, daemon.socket);
  first.send(subscribe(TICKER, { number: 1 }));
  t.match(await first.frame(), { event: { fields: { n: 0 } } });
  await until('the unsubscription', () => held.length === 1);
  const count = () => daemon.sandbox.countOf('core.subscribe');
  return { daemon, held, count, cut: () => cut() };
}

t.test('who waits for the end of the subscription before hears nothing of that one', async (t) => {
  const { daemon, held, count } = await startHolding(t);
  const reader = await converse(t, daemon.socket);
  reader.send(subscribe(TICKER, { number: 2 }));
  // Events of the old one come meanwhile.
  t.match(await daemon.d(['call', 'test.sleep', '0.1']), { code: 0 });
  t.equal(count(), 1);
  held[0]!();
  t.match([await reader.frame(), await reader.frame(), await reader.frame()], TWO);
});

t.test('F25: a connection that is lost ends the wait for the end of a subscription', async (t) => {
  const { daemon, count, cut } = await startHolding(t);
  const reader = await converse(t, daemon.socket);
  reader.send(subscribe(TICKER, { number: 2 }));
  t.match(await daemon.d(['call', 'test.echo', '1']), { code: 0 });
  cut();
  const frames: Frame[] = [];
  do frames.push(await reader.frame());
  while (frames.at(-1)?.type === 'event');
  t.match(
    frames.filter(({ gap }) => gap !== true),
    TWO,
  );
  t.equal(count(), 2);
});

t.test('F16: who leaves while waiting for that end leaves no subscription behind', async (t) => {
  const { daemon, held, count } = await startHolding(t);
  const reader = await converse(t, daemon.socket);
  reader.send(subscribe(TICKER));
  t.match(await daemon.d(['call', 'test.echo', '1']), { code: 0 });
  reader.destroy();
  t.match(await daemon.d(['call', 'test.echo', '2']), { code: 0 });
  held[0]!();
  if (await until('its end', () => held.length === 2)) held[1]!();
  const later = await converse(t, daemon.socket);
  later.send(subscribe(TICKER, { number: 2 }));
  t.match([await later.frame(), await later.frame(), await later.frame()], TWO);
  t.equal(count(), 3);
});

t.test('an end that the server does not answer holds nobody up for ever', async (t) => {
  const { daemon, count } = await startHolding(t, { CALL_TIMEOUT: '1' });
  const reader = await converse(t, daemon.socket);
  reader.send(subscribe(TICKER, { number: 2 }));
  t.match(await reader.frame(), {
    type: 'error',
    error:
      /^Call timeout: waited [1-9][\d.]* s for the end of the subscription before .*; .* was not sent$/,
  });
  t.equal(count(), 1);
});
