'use strict';
// Simulated systems, each on a port and a Unix socket of its own, that count who logs in.
const { answerParent } = require('../lib/answering.js');
const { startSandbox } = require('../../dist/lib/sandbox/index.js');

const sandboxes = [];

answerParent({
  /** Starts one for each of these paths of Unix sockets, and resolves with their ports. */
  async start({ paths, iterations }) {
    const started = paths.map((unix) => startSandbox({ unix, ws: 0, scram: { iterations } }));
    sandboxes.push(...(await Promise.all(started)));
    return sandboxes.map(({ wsPort }) => wsPort);
  },
  /** Of each, so far: logins over its port, refused ones, WebSockets. */
  counts() {
    return sandboxes.map(({ stats: { logins, failedLogins, connections, calls } }) => ({
      logins,
      failedLogins,
      connections,
      calls,
    }));
  },
});
