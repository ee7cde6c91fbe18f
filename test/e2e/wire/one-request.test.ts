/** F46: no one request, and no one answer, takes the daemon from the others. */
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import t, { type Test } from 'tap';
import { startDaemon, type RunningDaemon } from '../../support/daemon.js';
import { startHostileServer } from '../../support/hostile-server.js';
import { makeHome, until } from '../../support/midclt.js';
import { call, converse, residentMegabytes, type Conversation } from '../../support/wire.js';

const SIZE = 2 * 1024 * 1024;

/** Seconds of processor time that a process has had; the machine's load does not change them. */
function processorTime(pid: number): number {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** As many as fit. */
function many(unit: string, head: string, tail: string): string {
  const count = Math.floor((SIZE - head.length - tail.length) / (unit.length + 1));
  return `${head}${Array.from({ length: count }, () => unit).join(',')}${tail}\n`;
}

/** Answers to another client's `status` between a request's last byte and its answer. */
async function answersMeanwhile(
  t: Test,
  { socket }: RunningDaemon,
  asker: Conversation,
  line: string,
): Promise<number> {
  const other = await converse(t, socket);
  let answers = 0;
  const asked = { isOver: false };
  asker.send(line);
  const watching = (async () => {
    for (;;) {
      other.send('{"command":"status","keep":true}\n');
      await other.line();
      if (asked.isOver) return;
      answers++;
    }
  })();
  await asker.line();
  asked.isOver = true;
  await watching;
  other.destroy();
  return answers;
}

/** Each is refused, or answered with an error, for less than a second of the processor. */
const COSTLY: Readonly<Record<string, string>> = {
  '690,000 empty arguments': many(
    '""',
    '{"command":"cli-call","method":"test.echo","args":[',
    '],"close":false,"keep":true}',
  ),
  '690,000 empty arguments of an upload': many(
    '""',
    '{"command":"cli-call","method":"filesystem.file_receive","args":[',
    '],"keep":true}',
  ),
  'a hundred thousand members': `{"command":"call","method":"test.echo",${Array.from({ length: 150_000 }, (_, i) => `"k${i}":1`).join(',')},"keep":true}\n`,
  'kwargs of as many': `{"command":"call","method":"test.echo","kwargs":{${Array.from({ length: 150_000 }, (_, i) => `"k${i}":1`).join(',')}},"keep":true}\n`,
  'a call of 2 MB for a method that takes 64 KB': many(
    '{"$date":1}',
    '{"command":"call","method":"test.echo","params":[',
    '],"keep":true}',
  ),
  'a date of 2 MB': call(
    'filesystem.file_receive',
    `[{"$ipv4_interface":"${'/'.repeat(SIZE - 200)}"}]`,
    undefined,
    { keep: true },
  ),
};

t.test('F46: what is too much is refused before it is read through', async (t) => {
  const daemon = await startDaemon(t);
  const pid = daemon.child.pid!;
  for (const [name, line] of Object.entries(COSTLY)) {
    const asker = await converse(t, daemon.socket);
    const before = processorTime(pid);
    asker.send(line);
    t.match(await asker.frame(), { type: 'error', error: /\S/ }, name);
    const spent = processorTime(pid) - before;
    t.ok(spent < 0.4, `${name}: ${spent.toFixed(2)} s of the processor`);
    t.ok(residentMegabytes(pid) < 400, `${name}: ${Math.round(residentMegabytes(pid))} MB`);
    asker.destroy();
  }
  t.equal(daemon.sandbox.countOf('test.echo'), 0);
});

t.test('F46: others are answered while a long request is read', async (t) => {
  const daemon = await startDaemon(t);
  const asker = await converse(t, daemon.socket);
  const head = '{"command":"call","method":"filesystem.file_receive","params":[';
  for (const unit of ['{"$date":1}', '{"$":1}', '{"$time":"1:2"}']) {
    const line = many(unit, head, '],"kwargs":{"timeout":60},"keep":true}');
    const answers = await answersMeanwhile(t, daemon, asker, line);
    t.ok(answers >= 8, `${answers} answers to another client while ${unit} is read`);
  }
});

t.test('F46: a text for a shell that reads slowly comes whole, and ends', async (t) => {
  const daemon = await startDaemon(t);
  const socket = net.connect(daemon.socket);
  t.teardown(() => socket.destroy());
  let read = 0;
  socket.on('data', (chunk: Buffer) => {
    read += chunk.length;
    socket.pause();
    setTimeout(() => socket.resume(), 3);
  });
  socket.write(
    '{"command":"cli-call","method":"test.bigstring","args":["3000000"],"close":true}\n',
  );
  await once(socket, 'end');
  t.equal(read, 3_000_003);
});

t.test('F46: an answer of 10 MB for a shell leaves room for others', async (t) => {
  const extra = `[${Array.from({ length: 500_000 }, (_, i) => `["a.b${i}", {}]`).join(', ')}]`;
  const text = `"${'\\u00e9 x'.repeat(1_000_000)}"`;
  const { uris } = await startHostileServer(t, {
    onRequest: ({ say, answer }, { id, method }) => {
      const data = `{"error": 5, "reason": "no", "trace": {"formatted": ${text}}, "extra": ${extra}}`;
      const error = `{"code": -32001, "message": "Method call error", "data": ${data}}`;
      if (method === 'fail') say(`{"jsonrpc": "2.0", "error": ${error}, "id": "${id}"}`);
      else answer(id, method === 'text' ? text : '"pong"');
    },
  });
  const around = { home: makeHome(t), uri: '', sandbox: undefined as never };
  const daemon = await startDaemon(t, { around, uri: uris.jsonrpc });
  const pid = daemon.child.pid!;
  const run = async (method: string) => {
    const asker = await converse(t, daemon.socket);
    const before = processorTime(pid);
    for (const terminal of [true, false]) {
      asker.send(
        `{"command":"cli-call","method":"${method}","args":[],"terminal":${terminal},"keep":true}\n`,
      );
    }
    asker.send('{"command":"ping"}\n');
    await until('the answers', () => asker.lines.at(-1)?.includes('"pong"') === true, 60_000);
    return { lines: asker.lines, spent: processorTime(pid) - before };
  };
  const failed = await run('fail');
  t.ok(failed.spent < 2, `${failed.spent.toFixed(2)} s of the processor for two errors`);
  const formatted = 'é x'.repeat(1_000_000);
  t.equal(failed.lines.length, 9);
  t.ok(failed.lines.slice(0, 4).join('\n') === ['1', 'no', formatted, extra].join('\n'), 'whole');
  t.ok(failed.lines.slice(4, 8).join('\n') === ['1', 'no', formatted, extra].join('\n'), 'whole');
  const told = await run('text');
  t.ok(told.lines.slice(0, 4).join('\n') === ['0', formatted, '0', formatted].join('\n'), 'whole');
});
