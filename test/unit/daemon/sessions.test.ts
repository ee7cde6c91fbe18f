/** The daemon's connections, over sockets in memory. */
import type net from 'node:net';
import t from 'tap';
import { Sessions } from '../../../lib/daemon/sessions.js';
import { VerbTable } from '../../../lib/protocol/request.js';
import { oneStep } from '../../../lib/steps.js';
import { memoryOf } from '../../../lib/stream/memory.js';
import { Session } from '../../../lib/stream/session.js';
import { duplexPair } from '../../support/duplex-pair.js';
import { resultOf, soon, TestGate, verbOf } from '../../support/stages.js';

/** More than get their session in one turn. */
const CROWD = 300;

t.test('F31: of a crowd whose requests were read, nobody is left without an answer', async (t) => {
  const gate = new TestGate({ calls: 2 });
  const verb = verbOf([], {
    format: { names: ['method'], read: () => oneStep({}) },
    run: () => Promise.resolve(resultOf('1')),
  });
  const memory = memoryOf(64 * 1024 * 1024);
  const make = (socket: net.Socket, client: number) =>
    new Session(socket, {
      ...{ verbs: new VerbTable([['call', verb]]), gate, client, linger: 60_000, memory },
      ...{ lines: {}, onRequest: () => undefined, onOver: () => undefined },
    });
  const sessions = new Sessions(make, CROWD, () => undefined);
  const answers: string[] = [];
  let ended = 0;
  const clients = Array.from({ length: CROWD }, (_, i) => {
    const [socket, client] = duplexPair();
    sessions.listener.emit('connection', socket);
    client.on('data', (chunk: Buffer) => (answers[i] = chunk.toString()));
    client.on('end', () => ended++);
    client.write(`{"command":"call","method":"m","id":${i}}\n`);
    return client;
  });
  // All are read; the sessions of the last ones are for the next turn.
  for (let i = 0; i < 10; i++) await new Promise<void>((resolve) => process.nextTick(resolve));
  await sessions.drain();
  await soon(() => ended === CROWD);
  t.equal(answers.filter((text) => /"result":1|the request was not sent/.test(text)).length, CROWD);
  t.ok(answers.at(-1)?.includes('the request was not sent'));
  for (const client of clients) client.destroy();
});
