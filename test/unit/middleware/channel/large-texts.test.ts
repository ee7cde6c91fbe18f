/** Texts that are too large for one read, taken as they come, among all else that a server may send. */
import net from 'node:net';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { noLog } from '../../../../lib/logger.js';
import { Connection } from '../../../../lib/middleware/connection.js';
import { parseTarget } from '../../../../lib/middleware/uri.js';
import { makeCertificate } from '../../../../lib/sandbox/wire/certificate.js';
import { Asked, connectQuickly } from '../../../support/asked.js';
import { frame, startHostileServer } from '../../../support/hostile-server.js';
import { seededRandom } from '../../../support/random-json.js';

const NONE = Buffer.from('[]');
const TEXT = 0x81;

const { random, seed } = seededRandom();
t.comment(`seed ${seed}`);
const below = (most: number) => Math.floor(random() * most);

/** A JSON string of so many bytes, about. */
function longString(bytes: number): string {
  const piece = ['x', 'é', '€', '😀', '\\"', '\\u00e9', ', '][below(7)] ?? '';
  return `"${'y'.repeat(below(4))}${piece.repeat(bytes / Buffer.byteLength(piece))}"`;
}

/** The same text in frames of any size, with others between them that may be there. */
function inFragments(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + below(bytes.length);
    const first = (end >= bytes.length ? 0x80 : 0) | (at === 0 ? 1 : 0);
    frames.push(frame(first, bytes.subarray(at, end)));
    if (end < bytes.length) frames.push(frame(0x89, 'ping'));
    at = end;
  }
  return frames;
}

/** Writes it cut anywhere, each part in a turn of its own. */
async function writeInParts(raw: (bytes: Buffer) => void, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + below(random() < 0.3 ? 20 : 200_000);
    raw(bytes.subarray(at, end));
    at = end;
    await new Promise((resolve) => setTimeout(resolve, below(2)));
  }
}

/** In front of a server that has no TLS. Returns its URI. */
async function withTls(t: Test, port: number): Promise<string> {
  const server = tls.createServer({ ...makeCertificate() }, (socket) => {
    const behind = net.connect(port, '127.0.0.1');
    socket.on('error', () => behind.destroy());
    behind.on('error', () => socket.destroy());
    socket.pipe(behind).pipe(socket);
  });
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `wss://127.0.0.1:${(server.address() as net.AddressInfo).port}/api/current`;
}

for (const scheme of ['ws', 'wss']) {
  t.test(`large texts come whole and in their place (${scheme})`, async (t) => {
    const expected: string[] = [];
    let result = '';
    const { port, uris } = await startHostileServer(t, {
      onRequest: ({ raw }, { id }) => {
        const frames: Buffer[] = [];
        for (let count = 2 + below(6); count > 0; count--) {
          const isLarge = random() < 0.6;
          const params = longString(isLarge ? 60_000 + below(300_000) : below(70));
          expected.push(params);
          const event = `{"jsonrpc": "2.0", "method": "e", "params": ${params}}`;
          frames.push(...(random() < 0.3 ? inFragments(event) : [frame(TEXT, event)]));
          if (random() < 0.2) frames.push(frame(0x89, 'ping'));
        }
        result = longString(below(300_000));
        frames.push(
          frame(TEXT, `{"jsonrpc": "2.0", "result": ${result}, "id": ${JSON.stringify(id)}}`),
        );
        void writeInParts(raw, Buffer.concat(frames));
      },
    });
    const target = parseTarget(scheme === 'ws' ? uris.jsonrpc : await withTls(t, port), {
      insecure: true,
    });
    const connection = new Connection({ target, credential: null, log: noLog });
    t.teardown(() => {
      connection.close();
    });
    const seen: string[] = [];
    connection.on('notification', (_method, params) => seen.push(params.toString()));
    await connection.open();
    for (let round = 0; round < 20; round++) {
      const answer = await connection.call('test', NONE, { timeout: 60_000 });
      t.ok(answer.equals(Buffer.from(result)));
      t.equal(seen.length, expected.length);
      t.ok(seen.every((params, i) => params === expected[i]));
      seen.length = expected.length = 0;
    }
  });
}

t.test('one that is no UTF-8 ends the connection, as a small one does', async (t) => {
  for (const characters of [1, 50_000, 50_000, 50_000]) {
    const { uris, connections } = await startHostileServer(t, {
      onRequest: ({ raw, answer }, { id }) => {
        if (connections.length > 1) {
          answer(id, '"well"');
          return;
        }
        const head = '{"jsonrpc": "2.0", "result": "';
        const text = Buffer.from(`${head}${'😀'.repeat(characters)}", "id": "${id}"}`);
        text[head.length + 4 * below(characters) + 1 + below(3)] = 0x20;
        void writeInParts(raw, frame(TEXT, text));
      },
    });
    const connection = await connectQuickly(t, uris.jsonrpc);
    t.equal((await new Asked('').ask(connection)).outcome, 'LOST');
    t.equal((await new Asked('').ask(connection)).outcome, '"well"');
  }
});

t.test('one that is no JSON fails the call that it answers, and no other', async (t) => {
  const { uris, connections } = await startHostileServer(t, {
    onRequest: ({ raw, answer }, { id, params }) => {
      if (params[0] === 'well') answer(id, '"well"');
      else
        raw(frame(TEXT, `{"jsonrpc": "2.0", "result": [${longString(200_000)}}, "id": "${id}"}`));
    },
  });
  const connection = await connectQuickly(t, uris.jsonrpc);
  const all = await Promise.all(['', 'well'].map((text) => new Asked(text).ask(connection)));
  t.same(
    all.map(({ outcome }) => outcome),
    ['PROTOCOL', '"well"'],
  );
  t.equal(connections.length, 1);
});
