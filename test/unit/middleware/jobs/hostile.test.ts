/** F36: what a server says of jobs that are not, or not as they should be. */
import { Cancellation } from '../../../../lib/cancellation.js';
import t from 'tap';
import { noLog } from '../../../../lib/logger.js';
import { Scheduler } from '../../../../lib/stream/scheduler.js';
import { Jobs } from '../../../../lib/middleware/jobs/jobs.js';
import { connectQuickly, echo, eightAtATime, soon } from '../../../support/asked.js';
import { diceOf, pester } from '../../../support/garbage.js';
import { startHostileServer, type Heard } from '../../../support/hostile-server.js';
import { seededRandom } from '../../../support/random-json.js';

const { random, seed } = seededRandom();
const dice = diceOf(random);
t.comment(`seed ${seed}`);

for (const wire of ['jsonrpc', 'legacy'] as const) {
  t.test(`F36: jobs among garbage end with their own results (${wire})`, async (t) => {
    let lastJob = 1000;
    const { uris } = await startHostileServer(t, {
      onRequest: (victim, heard) => {
        const id = (lastJob += 1);
        const tell = (state: string, more = '') => {
          for (let i = dice.random() * 4; i > 1; i--) pester(victim, dice, []);
          if (dice.random() < 0.3) victim.event(jobFields(heard, id, '"state": {}, "progress": 5'));
          victim.event(jobFields(heard, id, `"state": "${state}"${more}`));
        };
        tell('WAITING');
        victim.answer(heard.id, String(id));
        soon(() => {
          tell('RUNNING', ', "progress": {"percent": [1,\n2], "description": {"x": null}}');
          for (let i = 0; i < 2; i++) tell('SUCCESS', `, "result": ${echo(heard)}`);
        }, dice);
      },
    });
    const connection = await connectQuickly(t, uris[wire]);
    const jobs = new Jobs(connection, noLog);
    const contents = Array.from({ length: 200 }, (_, i) => `job ${i} ${dice.random()}`);
    const scheduler = new Scheduler({ calls: 8, jobs: 8, lookUps: 1 });
    const results = new Map<string, string>();
    await eightAtATime(contents, async (content) => {
      const lease = await scheduler.acquire(() => 'job', new Cancellation(), null);
      const result = await jobs.call('test.job', Buffer.from(JSON.stringify([content])), {
        timeout: 20_000,
        onProgress: () => undefined,
        deadline: Infinity,
        lease,
        cancellation: new Cancellation(),
        isHeld: true,
      });
      t.ok(scheduler.active > 0);
      lease.release();
      results.set(content, result.toString());
    });
    t.same(
      contents.filter((content) => results.get(content) !== JSON.stringify(content)),
      [],
    );
    t.equal(scheduler.active, 0);
    t.equal(jobs.followed, 0);
  });
}

function jobFields(heard: Heard, id: number, more: string): string {
  const ids = JSON.stringify([null, 1, 'nobody-1', heard.id]);
  return `{"id": ${id}, "message_ids": ${ids}, "method": "test.job", "time_started": {"$date": ${id}}, ${more}}`;
}
