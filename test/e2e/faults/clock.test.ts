/** A wall clock that jumps, as it does when the time is set: what lasts is measured by another. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { serverWithJournal } from '../../support/faults.js';
import { filesOf } from '../../support/lifecycle.js';
import { BINARY, environment, midclt, until } from '../../support/midclt.js';
import { converse } from '../../support/wire.js';
import { ROOT } from '../../support/root.js';

const CLOCK = path.join(ROOT, 'test/support/clock.js');
t.jobs = 2; // they wait, side by side

const DAYS = 500_000_000; // milliseconds

for (const jump of [-DAYS, DAYS]) {
  t.test(`a local session is renewed after the clock has jumped by ${jump} ms`, async (t) => {
    const { home, sandbox, uri } = await serverWithJournal(t);
    const file = `${home}/clock`;
    fs.writeFileSync(file, '0');
    const options = ['-u', 'NODE_OPTIONS', process.execPath, '--require', CLOCK, BINARY];
    const child = spawn('env', [...options, '-u', uri, 'daemon'], {
      env: environment(home, { CLOCK_JUMP: file }),
    });
    t.teardown(() => child.kill('SIGKILL'));
    const { socket } = filesOf(home, uri);
    await until('the daemon', () => fs.existsSync(socket));
    const status = async () => {
      const client = await converse(t, socket);
      client.send('{"command":"status","close":true}\n');
      return (await client.frame()).result as { uptime: number; started: string };
    };
    const before = await status();
    fs.writeFileSync(file, String(jump));
    await new Promise((resolve) => setTimeout(resolve, 16_000)); // younger sessions are strangers'
    const { uptime, started } = await status();
    t.ok(uptime >= 15 && uptime < 120, `up for ${uptime} s`);
    t.equal(started, before.started);
    sandbox.expireSessions();
    const run = await midclt(['-u', uri, '-d', 'call', 'auth.me'], { home });
    t.match(run, { code: 0, stdout: /"pw_name": "root"/ });
    t.equal(sandbox.stats.connections, 2);
  });
}
