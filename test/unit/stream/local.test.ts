/** The stages within one process: requests and frames as objects. */
import t from 'tap';
import { VerbTable } from '../../../lib/protocol/request.js';
import type { ProgressFrame, Request } from '../../../lib/protocol/frames.js';
import { LocalSession } from '../../../lib/stream/local.js';
import {
  incomingOf,
  resultOf,
  rest,
  TestGate,
  verbOf,
  type Running,
} from '../../support/stages.js';

function scene() {
  const gate = new TestGate({ calls: 2 });
  const running: Running[] = [];
  const session = new LocalSession(new VerbTable([['call', verbOf(running)]]), gate);
  const progress: string[] = [];
  const request = (command = 'call') => incomingOf(null, 1, { command }).request as Request;
  const ask = (command?: string) =>
    session.ask(request(command), ({ percent }: ProgressFrame) => progress.push(String(percent)));
  return { gate, running, session, progress, ask };
}

t.test('progress goes to who asked, then the final frame', async (t) => {
  const { running, progress, ask, gate } = scene();
  const answer = ask();
  await rest();
  t.match(running[0]?.context, { client: null, timeout: null });
  for (let percent = 1; percent <= 5; percent++) running[0]?.progress(percent);
  t.same(progress, ['1', '2', '3', '4', '5'], 'nobody reads slowly here: all of it');
  running[0]?.end('5');
  t.same(await answer, resultOf('5'));
  t.equal(gate.scheduler.active, 0);
});

t.test('one request after the other, each with its own progress', async (t) => {
  const { running, progress, ask } = scene();
  for (let i = 0; i < 3; i++) {
    const answer = ask();
    await rest();
    running[i]?.progress(i);
    running[i]?.end(String(i));
    t.same(await answer, resultOf(String(i)));
    t.equal(progress.length, i + 1);
  }
  t.same(progress, ['0', '1', '2']);
});

t.test('what goes wrong is the final frame', async (t) => {
  const { running, ask } = scene();
  t.match(await ask('other'), { type: 'error', error: 'Unknown command: other' });
  const answer = ask();
  await rest();
  const cause = new TypeError('broken');
  running[0]?.fail(cause);
  const frame = await answer;
  t.match(frame, { type: 'error', errorType: 'TypeError', error: /mistake of midclt/ });
  t.equal(frame.type === 'error' && frame.cause?.cause, cause, 'with what it was made of');
});

t.test('once closed, what waits is not sent and what runs is told', async (t) => {
  const { gate, running, session, ask } = scene();
  const answer = ask();
  await rest();
  let told = false;
  running[0]?.context.cancellation.on(() => (told = true));
  session.close();
  t.ok(told);
  running[0]?.end('1');
  t.same(await answer, resultOf('1'));
  t.match(await ask(), { type: 'error', error: /went away; the request was not sent/ });

  const other = new LocalSession(new VerbTable([['call', verbOf(running)]]), gate);
  const held = [gate.scheduler.tryAcquire('call'), gate.scheduler.tryAcquire('call')];
  const waiting = other.ask(incomingOf(null, 1).request as Request, () => undefined);
  await rest();
  t.equal(gate.scheduler.waiting, 1);
  other.close();
  t.match(await waiting, { type: 'error', error: /went away/ });
  for (const lease of held) lease?.release();
  t.same([gate.scheduler.active, gate.scheduler.waiting, running.length], [0, 0, 1]);
});
