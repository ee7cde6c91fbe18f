/** What events have told of jobs before their calls were answered. */
import { EventEmitter } from 'node:events';
import t from 'tap';
import { membersOf, type Members } from '../../../../lib/json/members.js';
import type { Connection } from '../../../../lib/middleware/connection.js';
import { JobWatches } from '../../../../lib/middleware/jobs/watches.js';

const told = (state: string, content: string): Members =>
  membersOf(
    Buffer.from(`{"method": "test.job", "arguments": ["${content}"], "state": "${state}"}`),
  )!;

t.test(
  'F22, F25: what was told of a job before the server restarted is no news of the next of its number',
  (t) => {
    const emitter = new EventEmitter();
    const connection = Object.assign(emitter, { newId: () => 'an-id', namesRequests: false });
    const watches = new JobWatches(connection as unknown as Connection);
    const nothing = () => undefined;
    // As long as anybody watches, what events tell is kept.
    watches.add('test.job', Buffer.from('["another"]'), nothing);
    watches.onEvent(7, told('SUCCESS', 'of the old server'), false);
    emitter.emit('loss');
    const watch = watches.add('test.job', Buffer.from('["of the new one"]'), nothing);
    watches.onEvent(7, told('WAITING', 'of the new one'), true);
    // Taken for merged into the old one, it would be sent again, and run twice.
    t.equal(watches.announced(7, watch), 'ours');
    t.end();
  },
);
