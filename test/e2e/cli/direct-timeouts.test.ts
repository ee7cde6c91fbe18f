/** Without a daemon, `-t` bounds everything: the connection, the login and the call. */
import net from 'node:net';
import t, { type Test } from 'tap';
import { startHostileServer } from '../../support/hostile-server.js';
import { makeHome, midclt, type Finished } from '../../support/midclt.js';

t.jobs = 8; // they wait, side by side

const LOGIN = { MIDCLT_PASSWORD: 'admin-pw' };

/** A server that takes connections and says of them what `talk` does. */
async function startServer(t: Test, talk: (stream: net.Socket) => void): Promise<string> {
  const streams = new Set<net.Socket>();
  const server = net.createServer((stream) => {
    streams.add(stream);
    stream.on('error', () => undefined);
    talk(stream);
  });
  t.teardown(() => {
    server.close();
    for (const stream of streams) stream.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `ws://127.0.0.1:${(server.address() as net.AddressInfo).port}/api/current`;
}

const silent = () => undefined;

/** Never ends the handshake, and is never silent for long. */
function dribble(stream: net.Socket): void {
  stream.write('HTTP/1.1 101 Switching Protocols\r\nX-Long: ');
  const timer = setInterval(() => stream.write('x'), 200);
  stream.on('close', () => clearInterval(timer));
}

async function run(home: string, args: readonly string[]): Promise<Finished & { took: number }> {
  const began = performance.now();
  const finished = await midclt(args, { home, env: LOGIN });
  return { ...finished, took: (performance.now() - began) / 1000 };
}

for (const [name, talk] of Object.entries({ silent, dribble })) {
  t.test(`a handshake that never ends is bounded by -t (${name})`, async (t) => {
    const home = makeHome(t);
    const uri = await startServer(t, talk);
    for (const args of [['call', 'core.ping'], ['call', '-j', 'test.job'], ['ping']]) {
      const { took, ...finished } = await run(home, ['-u', uri, '-t', '2', ...args]);
      t.match(finished, {
        code: 1,
        stdout: '',
        stderr: `Error: Call timeout: waited 2 s for the connection to ${uri}; the call was not sent\n`,
      });
      t.ok(took >= 2 && took < 60, `${took} s`);
    }
  });

  t.test(`without -t it has a quarter of a minute, and the reason is told (${name})`, async (t) => {
    const uri = await startServer(t, talk);
    const { took, ...finished } = await run(makeHome(t), ['-u', uri, 'call', 'core.ping']);
    t.match(finished, {
      code: 1,
      stdout: '',
      stderr: `Error: Cannot connect to ${uri}: the WebSocket handshake was not answered within 15 s\n`,
    });
    t.ok(took >= 14 && took < 60, `${took} s`);
  });
}

t.test('a login that is never answered is bounded by -t', async (t) => {
  const { uris } = await startHostileServer(t, {});
  // Time enough to connect, and be at the login.
  const check = async (uri: string) => {
    const args = ['-u', uri, '-U', 'admin', '-t', '6', 'call', 'core.ping'];
    const { took, ...finished } = await run(makeHome(t), args);
    t.match(finished, {
      code: 1,
      stdout: '',
      stderr: `Error: Call timeout: waited 6 s for the login at ${uri}; the call was not sent\n`,
    });
    t.ok(took >= 6 && took < 60, `${took} s`);
  };
  await Promise.all([uris.jsonrpc, uris.legacy].map(check));
});

t.test('what the connection took is taken off the time of the call', async (t) => {
  const { uris } = await startHostileServer(t, {
    onRequest: ({ answer }, { id, method }) => {
      if (method === 'auth.login_ex')
        setTimeout(() => answer(id, '{"response_type": "SUCCESS"}'), 10_000);
    },
  });
  const args = ['-u', uris.jsonrpc, '-U', 'admin', '-t', '20', 'call', 'test.sleep', '60'];
  const { took, ...finished } = await run(makeHome(t), args);
  t.match(finished, { code: 1, stdout: '', stderr: 'Call timeout\n' });
  t.ok(took >= 20 && took < 29, `${took} s`);
});
