/** A timeout that is given is all of the time that a request may take: waiting, sending and answering. */
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import {
  readMessage,
  startBetween,
  startBroken,
  startBusy,
  untilState,
} from '../../support/faults.js';
import { startDaemon, statusOf, wakeSleeper } from '../../support/daemon.js';
import { until } from '../../support/midclt.js';
import type { RelayOptions } from '../../support/relay.js';
import { call, converse } from '../../support/wire.js';

t.jobs = 5; // they wait, side by side

/** Far below the two minutes that requests without a timeout wait. */
const SOON = 34_000;

t.test(
  'F22: with the middleware away, -t ends the wait, and says that nothing was sent',
  async (t) => {
    const daemon = await startBroken(t);
    await daemon.proxy.refuse();
    daemon.proxy.cut('rst');
    await untilState(daemon, 'waiting');
    const began = performance.now();
    const runs = await Promise.all([
      daemon.d(['-t', '2', 'call', 'test.echo', '1']),
      daemon.d(['-t', '2', 'call', '-j', 'test.job', '1', '0']),
      daemon.d(['-t', '2', 'ping']),
      daemon.d(['ping']),
    ]);
    t.ok(performance.now() - began < SOON);
    const away = (seconds: string) =>
      new RegExp(`timeout: waited ${seconds} s for the connection .*ECONNREFUSED.*was not sent\n$`);
    for (const run of runs.slice(0, 3)) t.match(run, { code: 1, stdout: '', stderr: away('2') });
    t.match(runs[3], { code: 1, stdout: '', stderr: away('10') }, 'a ping has ten seconds');
    t.equal(daemon.ran().length, 0);
    await daemon.proxy.goOn();
  },
);

t.test('with all slots taken, a timeout ends the wait for one', async (t) => {
  const daemon = await startDaemon(t, { args: ['--concurrency', '1'] });
  const holder = await converse(t, daemon.socket);
  holder.send(call('test.sleep', '[600]', { timeout: null }));
  await until('the slot to be taken', () => daemon.sandbox.countOf('test.sleep') === 1);
  const began = performance.now();
  const runs = await Promise.all([
    daemon.d(['-t', '1', 'call', 'test.echo', '1']),
    daemon.d(['-t', '1', 'ping']),
  ]);
  t.ok(performance.now() - began < SOON);
  for (const run of runs) {
    const stderr = /timeout: waited 1 s for a free slot; the call was not sent\n$/;
    t.match(run, { code: 1, stdout: '', stderr });
  }
  t.equal(daemon.sandbox.countOf('test.echo'), 0);
});

t.test('what was waited for a slot is taken from the time for the answer', async (t) => {
  const daemon = await startDaemon(t, { args: ['--concurrency', '1'] });
  const holder = await converse(t, daemon.socket);
  holder.send(call('test.sleep', '[3600]', { timeout: null }));
  await until('the slot to be taken', () => daemon.sandbox.countOf('test.sleep') === 1);
  const [asking, asker] = [await converse(t, daemon.socket), await converse(t, daemon.socket)];
  const [timeout, waits] = [16, 8]; // seconds: much of it is left, and much is gone
  const began = performance.now();
  asking.send(call('test.sleep', '[3600]', { timeout }));
  await until('it to wait', async () => {
    asker.send('{"command":"status","keep":true}\n');
    const { result } = (await asker.frame()) as { result: { calls: { queued: number } } };
    return result.calls.queued === 1;
  });
  const waiting = performance.now();
  await delay(1000 * waits);
  t.equal(daemon.sandbox.countOf('test.sleep'), 1);
  wakeSleeper(daemon.sandbox);
  t.match(await asking.frame(), { type: 'error', error: 'Call timeout' });
  t.equal(daemon.sandbox.countOf('test.sleep'), 2, 'it was sent');
  const now = performance.now();
  t.ok(now - began > 1000 * timeout - 10, 'not before its time');
  t.ok(now - waiting < 1000 * (timeout + waits), 'nor was it given all of it anew');
});

t.test('F37: four calls whose methods are new hold up no fifth that starts no job', async (t) => {
  const daemon = await startDaemon(t);
  const holders = await Promise.all(Array.from({ length: 4 }, () => converse(t, daemon.socket)));
  for (const holder of holders) holder.send(call('test.sleep', '[600]', { timeout: null }));
  await until('the four', () => daemon.sandbox.countOf('test.sleep') === 4);
  const runs = await Promise.all([
    daemon.d(['-t', '20', 'call', 'test.echo', '1']),
    daemon.d(['-t', '20', 'call', '-j', 'test.job', '1', '0']),
  ]);
  t.match(runs[0], { code: 0, stdout: '[1]\n' });
  t.match(runs[1], { code: 0, stdout: 'done\n' });
});

t.test('F37: no more than four calls that start jobs are unanswered at a time', async (t) => {
  const daemon = await startDaemon(t);
  daemon.sandbox.setStalled(true);
  const clients = await Promise.all(Array.from({ length: 7 }, () => converse(t, daemon.socket)));
  for (const client of clients) client.send(call('test.job', '[1, 0]', { job: true }));
  const calls = async () => (await statusOf(daemon.socket)).calls;
  await until('the rest to wait', async () => (await calls()).queued === 3);
  t.ok((await calls()).in_flight <= 4);
  daemon.sandbox.setStalled(false);
  for (const client of clients) t.match((await client.answer()).at(-1), { result: 'done' });
});

/** A daemon whose second login, and those after it, are never answered. */
function startOnce(t: Test, up: NonNullable<RelayOptions['up']> = (message) => message) {
  let logins = 0;
  return startBetween(t, {
    up: (message, between) => {
      if (readMessage(message).method !== 'auth.login_ex') return up(message, between);
      logins += 1;
      return logins === 1 ? message : null;
    },
  });
}

/** Of one that waited for another login, or for another connection: it was refused, or lost, in the time that it had. */
const NOT_LOGGED_IN =
  /^Call timeout: waited [\d.]+ s for the connection .*; the call was not sent\n$/;

t.test('F21: a timeout ends the wait for the login of a call that was refused', async (t) => {
  const daemon = await startOnce(t);
  t.match(await daemon.d(['call', '-j', 'test.job', '1', '0']), { code: 0 });
  const before = daemon.ran().length;
  daemon.sandbox.expireSessions();
  const began = performance.now();
  const runs = await Promise.all([
    daemon.d(['-t', '5', 'call', 'test.echo', '1']),
    daemon.d(['-t', '5', 'call', 'test.echo', 'x'.repeat(9000)]),
    daemon.d(['-t', '5', 'call', '-j', 'test.job', '1', '0']),
  ]);
  t.ok(performance.now() - began < SOON);
  for (const run of runs) t.match(run, { code: 1, stdout: '', stderr: NOT_LOGGED_IN });
  t.equal(daemon.ran().length, before);
});

t.test('F25: a timeout ends the wait for the connection that a job is followed over', async (t) => {
  const daemon = await startOnce(t, (message, { cut }) => {
    if (readMessage(message).method !== 'core.subscribe') return message;
    cut();
    return null;
  });
  const began = performance.now();
  const run = await daemon.d(['-t', '5', 'call', '-j', 'test.job', '1', '0']);
  t.ok(performance.now() - began < SOON);
  t.match(run, { code: 1, stdout: '', stderr: NOT_LOGGED_IN });
  t.equal(daemon.ran().length, 0);
});

t.test('F27: a timeout ends the wait for a server that has too many calls', async (t) => {
  const daemon = await startBusy(t);
  const client = await converse(t, daemon.socket);
  const began = performance.now();
  client.send(call('test.echo', '[1]', { timeout: 5 }, { not_sent: true }));
  t.match(await client.frame(), {
    error:
      /^Call timeout: waited [\d.]+ s for the server to have room for it; the call was not run$/,
    outcome: undefined,
  });
  t.ok(performance.now() - began < SOON);
});
