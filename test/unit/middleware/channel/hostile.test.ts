/** F36: a server that sends garbage never crashes a client of it, and never reaches the wrong call. */
import t from 'tap';
import { Asked, askMany, connectQuickly, echo, own, soon } from '../../../support/asked.js';
import { diceOf, FATAL, pester } from '../../../support/garbage.js';
import { startHostileServer } from '../../../support/hostile-server.js';
import { until } from '../../../support/midclt.js';
import { seededRandom } from '../../../support/random-json.js';

const { random, seed } = seededRandom();
const dice = diceOf(random);
t.comment(`seed ${seed}`);

const WIRES = ['jsonrpc', 'legacy'] as const;

for (const wire of WIRES) {
  t.test(`F36: answers among garbage reach their own callers (${wire})`, async (t) => {
    const old: string[] = [];
    const { uris, connections } = await startHostileServer(t, {
      onRequest: (victim, heard) => {
        const pesterSome = () => {
          for (let i = dice.random() * 6; i > 1; i--) pester(victim, dice, old);
        };
        pesterSome();
        soon(() => {
          pesterSome();
          for (let i = dice.random() < 0.3 ? 2 : 1; i > 0; i--)
            victim.answer(heard.id, echo(heard));
          old.push(heard.id);
          pesterSome();
        }, dice);
      },
    });
    const connection = await connectQuickly(t, uris[wire]);
    const calls = await askMany(connection, 1000, dice);
    t.same(
      calls.filter((call) => call.outcome !== own(call)),
      [],
    );
    t.same(
      calls.filter(({ isHeld }) => isHeld),
      [],
      'nobody holds a slot',
    );
    t.equal(connection.inFlight, 0);
    t.equal(connections.length, 1, 'over one connection');
  });

  t.test(`F36: answers of the wrong shape hurt nobody else (${wire})`, async (t) => {
    const shapes = (id: string) => {
      const odd = dice.pick(['5', '"x"', '[]', '{}', 'null', '[[5]]', '{"code": "x"}', 'nonsense']);
      return wire === 'legacy'
        ? dice.pick([
            `{"msg": "result", "id": ${id}, "error": ${odd}}`,
            `{"msg": "result", "id": ${id}}`,
            `{"msg": "ready", "subs": [${id}, ${odd}]}`,
            `{"msg": "ready", "subs": ${odd}, "id": ${id}}`,
            `{"msg": "result", "id": [${id}], "result": 1}`,
          ])
        : dice.pick([
            `{"id": ${id}, "error": ${odd}}`,
            `{"id": ${id}}`,
            `{"id": ${id}, "error": {"code": -32001, "data": ${odd}}}`,
            `{"id": ${id}, "error": {"code": -32602, "data": {"extra": ${odd}}}}`,
            `{"id": [${id}], "result": 1}`,
          ]);
    };
    const misshapen = new Set<unknown>();
    const { uris } = await startHostileServer(t, {
      onRequest: (victim, heard) => {
        soon(() => {
          if (dice.random() < 0.5) {
            misshapen.add(heard.params[0]);
            victim.say(shapes(JSON.stringify(heard.id)));
          }
          victim.answer(heard.id, echo(heard));
        }, dice);
      },
    });
    const connection = await connectQuickly(t, uris[wire]);
    const calls = await askMany(connection, 500, dice);
    // An error without words, one that is no JSON; the legacy wire's missing result.
    const may = new Set(['CALL', 'PROTOCOL', 'null']);
    t.same(
      calls.filter((call) => {
        const { content, outcome } = call;
        return outcome !== own(call) && !(misshapen.has(content) && may.has(outcome));
      }),
      [],
    );
    t.same(
      calls.filter(({ isHeld }) => isHeld),
      [],
    );
  });

  t.test(`F36: why the server closes is told in one line (${wire})`, async (t) => {
    const { uris } = await startHostileServer(t, {
      onRequest: ({ socket }) => {
        socket.close(4000, '\u001b[2Jgoing\r\naway\u0007');
      },
    });
    const connection = await connectQuickly(t, uris[wire]);
    await t.rejects(connection.call('test.echo', Buffer.from('[]'), { timeout: 20_000 }), {
      code: 'LOST',
      message: /\(code 4000: going away\); the outcome of test\.echo is unknown$/,
    });
  });

  t.test(`F36: a late answer is nobody else's (${wire})`, async (t) => {
    const late: (() => void)[] = [];
    const { uris } = await startHostileServer(t, {
      onRequest: (victim, heard) => {
        const answer = () => {
          victim.answer(heard.id, echo(heard));
        };
        if (late.length < 20) late.push(answer);
        else answer();
      },
    });
    const connection = await connectQuickly(t, uris[wire]);
    const slow = Array.from({ length: 20 }, (_, i) => new Asked(`late ${i}`).ask(connection, 30));
    const given = await Promise.all(slow);
    t.same(new Set(given.map(({ outcome }) => outcome)), new Set(['TIMEOUT']));
    t.ok(
      given.every(({ isHeld }) => isHeld),
      'they still run there',
    );
    // On a busy machine their time is up before the server has read them.
    await until('all of them to be there', () => late.length === 20);
    const calls = askMany(connection, 50, dice);
    for (const answer of [...late, ...late]) answer();
    t.same(
      (await calls).filter((call) => call.outcome !== own(call)),
      [],
    );
    await until('the late answers', () => given.every(({ isHeld }) => !isHeld));
    t.equal(connection.inFlight, 0);
  });

  t.test(`F36: a connection that breaks in any way is made anew (${wire})`, async (t) => {
    const broken = new Set<string>();
    const names = Object.keys(FATAL);
    const { uris, connections } = await startHostileServer(t, {
      onRequest: (victim, heard) => {
        if (dice.random() > 0.06) {
          soon(() => victim.answer(heard.id, echo(heard)), dice);
          return;
        }
        const name = names[broken.size] ?? dice.pick(names);
        broken.add(name);
        FATAL[name]?.(victim);
      },
    });
    const connection = await connectQuickly(t, uris[wire]);
    const calls = await askMany(connection, 800, dice);
    t.same(
      calls.filter((call) => call.outcome !== own(call) && call.outcome !== 'LOST'),
      [],
    );
    t.same(
      calls.filter(({ isHeld }) => isHeld),
      [],
    );
    t.ok(calls.filter(({ outcome }) => outcome !== 'LOST').length > 100, 'many were answered');
    t.ok(connections.length > 20);
    t.equal(broken.size, names.length, 'each was tried');
  });
}
