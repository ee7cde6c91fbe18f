/** F28: whatever comes over the daemon's socket has one answer a line, as docs/PROTOCOL.md says, and hurts nobody else. */
import assert from 'node:assert';
import { once } from 'node:events';
import net from 'node:net';
import t, { type Test } from 'tap';
import { socketsOf, startDaemon, type RunningDaemon } from '../support/daemon.js';
import { fuzz } from '../support/fuzz.js';
import { until } from '../support/midclt.js';
import { expectedOf, frameOf, type Expected } from '../support/socket-answers.js';
import { sent, type Sent } from '../support/socket-words.js';
import { residentMegabytes } from '../support/wire.js';

/** Megabytes of V8's own coming and going. */
const NOISE = 80;
/** Milliseconds without a byte after which a request that may last is ended. */
const SILENCE = 400;

/** One daemon for all inputs, and its other clients. */
class Stage {
  daemon!: RunningDaemon;
  private neighbour!: net.Socket;
  private said: string[] = [];
  private number = 0;

  constructor(private readonly t: Test) {}

  async start(): Promise<void> {
    this.daemon = await startDaemon(this.t, { args: ['--lifetime', '0'] });
    this.neighbour = await this.connect();
    this.said = [];
    let rest = '';
    this.neighbour.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      this.said.push(...lines);
      this.neighbour.emit('line');
    });
    // A daemon that has this to do is not idle.
    const listener = await this.connect();
    listener.resume().write('{"command":"subscribe","event":"test.event"}\n');
  }

  private async connect(): Promise<net.Socket> {
    const socket = net.connect(this.daemon.socket);
    socket.on('error', () => undefined);
    this.t.teardown(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  }

  /** Somebody else's call, beside what is going on. */
  async call(): Promise<void> {
    const id = `neighbour ${(this.number += 1)}`;
    const params = `["${id}", 18446744073709551615, 2.0]`;
    this.neighbour.write(
      `{"command":"call","method":"test.echo","params":${params},"id":"${id}","keep":true}\n`,
    );
    while (this.said.length === 0) await once(this.neighbour, 'line');
    assert.equal(this.said.shift(), `{"type":"result","id":"${id}","result":${params}}`);
  }

  async check(input: Sent): Promise<void> {
    const expected = input.lines.map(expectedOf);
    const bytes = Buffer.from(input.lines.join('\n') + (input.isWhole ? '\n' : ''), 'latin1');
    const answered = this.exchange(
      bytes,
      input,
      expected.some(({ mayLast }) => mayLast),
    );
    if (!isStopping(input)) await this.call();
    const { text, isEnded } = await answered;
    // A last line without a byte is none.
    if (!input.isWhole && input.lines.at(-1) === '') expected.pop();
    const wasStopped = text.includes('"Daemon shutting down"');
    if (!input.leaves) assertAnswers(text, expected, isEnded && !wasStopped);
    if (wasStopped) {
      assert.ok(isStopping(input));
      assert.deepEqual(await this.daemon.exited, { code: 0, signal: null });
      await this.start();
      return;
    }
    await this.call();
    assert.equal(this.daemon.child.exitCode, null, 'it lives');
    assert.equal(this.daemon.stderr(), '');
  }

  /** Resolves with what was said until the end. */
  private exchange(bytes: Buffer, { cuts, leaves }: Sent, mayLast: boolean) {
    return new Promise<{ text: string; isEnded: boolean }>((resolve, reject) => {
      const socket = net.connect({ path: this.daemon.socket, allowHalfOpen: true });
      const chunks: Buffer[] = [];
      let isEnded = false;
      const patience = setTimeout(
        () => {
          if (mayLast) socket.destroy();
          else socket.destroy(new Error('the connection does not end'));
        },
        mayLast ? SILENCE : 60_000,
      );
      socket.on('error', (error) => {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'EPIPE' && code !== 'ECONNRESET') reject(error);
      });
      socket.on('data', (chunk) => {
        chunks.push(chunk);
        patience.refresh();
      });
      socket.on('end', () => {
        isEnded = true;
        socket.destroy();
      });
      socket.on('close', () => {
        clearTimeout(patience);
        resolve({ text: Buffer.concat(chunks).toString(), isEnded });
      });
      const places = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
      void (async () => {
        let from = 0;
        for (const place of [...places, bytes.length]) {
          socket.write(bytes.subarray(from, place));
          from = place;
          await new Promise(setImmediate);
        }
        if (leaves) socket.destroy();
        else socket.end();
      })();
    });
  }
}

/** `stop`, however it is spelled. */
function isStopping({ lines }: Sent): boolean {
  return lines.some((line) => /stop|\\u/.test(line));
}

function assertAnswers(all: string, expected: readonly Expected[], isEnded: boolean): void {
  let rest = all;
  const lineOf = () => {
    const end = rest.indexOf('\n');
    assert.ok(end !== -1 || !isEnded, `a line is cut: ${rest.slice(0, 200)}`);
    const text = rest.slice(0, end);
    rest = end === -1 ? '' : rest.slice(end + 1);
    return end === -1 ? null : text;
  };
  let mayEnd = !isEnded;
  for (const [i, each] of expected.entries()) {
    if (rest === '' && mayEnd) return;
    if (!rest.startsWith('{') && each.text !== 'no') {
      if (each.text !== 'sized') return; // where it ends can't be told
      assert.equal(lineOf(), '', 'it has been read');
      const head = lineOf();
      if (head === null) return;
      if (head !== 'frame') {
        const [, bytes] = /^[01] (\d+) \d+$/.exec(head) ?? assert.fail(`no size: ${head}`);
        const text = Buffer.from(rest);
        assert.ok(text.length >= Number(bytes) || !isEnded, 'all of it');
        rest = text.subarray(Number(bytes)).toString();
        mayEnd ||= each.mayClose;
        continue;
      }
    }
    for (;;) {
      const text = lineOf();
      if (text === null) return;
      assert.notEqual(
        text,
        '',
        `no answer to line ${i + 1} of ${expected.length}: ${all.slice(0, 500)}`,
      );
      const frame = frameOf(text);
      each.checkId(frame, text);
      if (frame.type === 'progress' || frame.type === 'event') continue;
      each.check(frame);
      break;
    }
    mayEnd ||= each.mayClose;
  }
  assert.equal(rest, '', 'one final frame a line');
}

t.test('F28: each line over the socket has its answer', async (t) => {
  const stage = new Stage(t);
  await stage.start();
  let count = 0;
  let before = { pid: 0, megabytes: 0, sockets: 0 };
  await fuzz(t, {
    name: 'socket input, to a daemon',
    inputs: 2000,
    arbitrary: sent,
    check: async (input) => {
      await stage.check(input);
      const pid = stage.daemon.child.pid ?? 0;
      // What a daemon needs at first is no leak.
      if (pid !== before.pid) count = 0;
      before.pid = pid;
      if (++count === 300) {
        await until('its connections to end', () => socketsOf(pid) < 20);
        before = { pid, megabytes: residentMegabytes(pid), sockets: socketsOf(pid) };
      }
    },
  });
  if (count <= 300) return;
  await until('no descriptors more than before', () => socketsOf(before.pid) <= before.sockets);
  const more = residentMegabytes(before.pid) - before.megabytes;
  t.ok(more < NOISE, `${Math.round(more)} MB more after ${count} inputs`);
});
