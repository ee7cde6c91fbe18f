/** The lock under which a daemon is started, released at any moment of its acquisition. */
import fs from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { StartLock } from '../../../lib/daemon/start-lock.js';
import { makeHome } from '../../support/midclt.js';

const free = (): Promise<void> => Promise.resolve();

t.test('a lock that is released while it is acquired is free for the next one', async (t) => {
  const directory = makeHome(t);
  for (let turns = 0; turns < 12; turns += 1) {
    const path = `${directory}/${turns}.lock`;
    const lock = new StartLock(path);
    const acquiring = lock.acquire(free);
    for (let passed = 0; passed < turns; passed += 1) await turn();
    lock.release(null);
    await acquiring;
    t.notOk(fs.existsSync(path), `released after ${turns} turns`);
    const next = new StartLock(path);
    await next.acquire(free);
    next.release(null);
  }
});

t.test('a lock that was released before does not look at the path any more', async (t) => {
  const path = `${makeHome(t)}/a.lock`;
  const lock = new StartLock(path);
  let looks = 0;
  lock.release(null);
  await lock.acquire(async () => {
    looks += 1;
    return free();
  });
  t.equal(looks, 0);
  t.notOk(fs.existsSync(path));
});

t.test('a lock that is released while it waits for another starter takes nothing', async (t) => {
  const path = `${makeHome(t)}/a.lock`;
  const holder = new StartLock(path);
  await holder.acquire(free);
  const waiting = new StartLock(path);
  const acquiring = waiting.acquire(free);
  for (let passed = 0; passed < 5; passed += 1) await turn();
  waiting.release(null);
  await acquiring;
  t.ok(fs.existsSync(path), "it is still the holder's");
  holder.release(null);
  t.notOk(fs.existsSync(path));
});
