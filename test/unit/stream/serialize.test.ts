import { once } from 'node:events';
import t from 'tap';
import { Serialize, type Turn } from '../../../lib/stream/serialize.js';
import type { Incoming } from '../../../lib/stream/verb.js';
import { incomingOf, rest, takenFrom } from '../../support/stages.js';

const incoming = (id: number) => incomingOf(null, id);
const idOf = ({ id }: Incoming) => Number(id?.toString());

function stage() {
  const over: number[] = [];
  const serialize = new Serialize((each) => over.push(idOf(each)));
  return { serialize, over };
}

t.test('one request at a time, in order: the next when the one before is over', async (t) => {
  const { serialize, over } = stage();
  const turns = takenFrom<Turn>(serialize);
  for (const id of [1, 2, 3]) serialize.write(incoming(id));
  for (const id of [1, 2, 3]) {
    await rest();
    t.same(
      turns.map((each) => idOf(each.incoming)),
      [1, 2, 3].slice(0, id),
    );
    turns[id - 1]?.over();
    t.same(over, [1, 2, 3].slice(0, id), 'told at once');
  }
});

t.test('who is told that one is over is told before the next follows', async (t) => {
  const order: string[] = [];
  const serialize = new Serialize((each) => order.push(`over ${idOf(each)}`));
  serialize.on('data', ({ incoming, over }: Turn) => {
    order.push(`turn ${idOf(incoming)}`);
    setImmediate(over);
  });
  for (const id of [1, 2, 3]) serialize.write(incoming(id));
  serialize.end();
  await once(serialize, 'end');
  t.same(order, ['turn 1', 'over 1', 'turn 2', 'over 2', 'turn 3', 'over 3']);
});

t.test('takes no more than one ahead, whoever is at work or reads', async (t) => {
  const { serialize } = stage();
  t.notOk(serialize.write(incoming(1)));
  t.notOk(serialize.write(incoming(2)));
  await rest();
  t.ok(serialize.writableNeedDrain, 'the first is not taken');
  const turns = takenFrom<Turn>(serialize);
  await rest();
  t.ok(serialize.writableNeedDrain, 'the first is not over');
  turns[0]?.over();
  turns[1]?.over();
  await rest();
  t.notOk(serialize.writableNeedDrain);
});

t.test('after the end of its input it ends when the last one is over', async (t) => {
  const { serialize } = stage();
  const turns = takenFrom<Turn>(serialize);
  let ended = false;
  serialize.on('end', () => (ended = true));
  serialize.write(incoming(1));
  serialize.end(incoming(2));
  await rest();
  turns[0]?.over();
  await rest();
  t.same([turns.length, ended], [2, false]);
  turns[1]?.over();
  await rest();
  t.ok(ended);
});

t.test(
  'once stopped it lets nothing through; what is under way is told when it is over',
  async (t) => {
    const { serialize, over } = stage();
    const turns = takenFrom<Turn>(serialize);
    serialize.write(incoming(1));
    serialize.end(incoming(2));
    let ended = false;
    serialize.on('end', () => (ended = true));
    await rest();
    serialize.stop();
    turns[0]?.over();
    await rest();
    t.same([turns.length, over, ended], [1, [1], false]);

    const last = stage();
    const only = takenFrom<Turn>(last.serialize);
    let wasEnd = false;
    last.serialize.on('end', () => (wasEnd = true));
    last.serialize.end(incoming(1));
    await rest();
    last.serialize.stop();
    only[0]?.over();
    await rest();
    t.same([last.over, wasEnd], [[1], false], 'nor its end');

    const idle = stage();
    const none = takenFrom<Turn>(idle.serialize);
    idle.serialize.stop();
    idle.serialize.write(incoming(1));
    await rest();
    t.same(none, []);
  },
);
