'use strict';
// A sandbox in a process of its own: node sandbox-child.js '{"unix": "/tmp/s", "ws": 6000, …}' takes the
// options of startSandbox as JSON and prints, as a line of JSON, where it listens. Whoever starts it with
// an IPC channel may use the members of `Sandbox` by name, and it ends with that channel.
const { startSandbox } = require('../../dist/lib/sandbox/index.js');

async function main() {
  const sandbox = await startSandbox(JSON.parse(process.argv[2] ?? '{}'));
  const answer = async ({ id, member, args }) => {
    const found = sandbox[member];
    return { id, result: typeof found === 'function' ? await found(...args) : found };
  };
  process.on('message', (request) => {
    answer(request).then(
      (reply) => process.send(reply),
      (error) => process.send({ id: request.id, error: error.message }),
    );
  });
  process.on('disconnect', () => process.exit());
  const { unixPath, wsPort, wssPort, certificate } = sandbox;
  const line = JSON.stringify({ pid: process.pid, unixPath, wsPort, wssPort, certificate });
  process.stdout.write(`${line}\n`);
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
