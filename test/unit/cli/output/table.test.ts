/** Tables as a terminal shows them, and jobs in them. */
import t from 'tap';
import { jobDetails, jobTable } from '../../../../lib/cli/output/job-text.js';
import { aligned, duration } from '../../../../lib/cli/output/table.js';
import { membersOf, type Members } from '../../../../lib/json/members.js';

t.test('columns are as wide as they are shown', async (t) => {
  const rows = [
    ['A', 'B'],
    ['日本', 'x'],
    ['e\u0301', 'y'],
    ['👨‍👩‍👧', 'z'],
    ['', ''],
  ];
  t.strictSame(aligned(rows), ['A     B', '日本  x', 'e\u0301     y', '👨‍👩‍👧    z', '']);
  t.strictSame(aligned([]), []);
});

t.test('lines are cut where they are wider than they may be, characters never', async (t) => {
  t.strictSame(aligned([['ab', 'cd']], 6), ['ab  cd']);
  t.strictSame(aligned([['ab', 'cd']], 5), ['ab…']);
  t.strictSame(aligned([['日本語']], 6), ['日本語']);
  t.strictSame(aligned([['日本語']], 5), ['日本…']);
  t.strictSame(aligned([['日本語']], 4), ['日…']);
  t.strictSame(aligned([['e\u0301e\u0301e\u0301']], 2), ['e\u0301…']);
  t.strictSame(aligned([['👨‍👩‍👧👨‍👩‍👧']], 3), ['👨‍👩‍👧…']);
});

t.test('a duration has its days before it', async (t) => {
  t.strictSame([0, 59.9, 3723, 90_061].map(duration), [
    '00:00:00',
    '00:00:59',
    '01:02:03',
    '1d 01:01:01',
  ]);
});

const NOW = new Date(2026, 10, 26, 12, 0, 0);
const before = (seconds: number) => `{"$date": ${NOW.getTime() - seconds * 1000}}`;

function job(text: string): Members {
  const members = membersOf(Buffer.from(text));
  if (!members) throw new Error(`no object: ${text}`);
  return members;
}

t.test('a job is a line, whatever it says', async (t) => {
  const jobs = [
    `{"id": 12, "method": "pool.scrub", "state": "RUNNING", "description": null,
      "progress": {"percent": 33.9, "description": "now\\n  this"}, "time_started": ${before(3600)},
      "time_finished": null, "credentials": {"type": "X", "data": {"username": "root"}}}`,
    `{"id": 2, "method": "a.b", "state": "SUCCESS", "description": "why",
      "progress": {"percent": 100, "description": "done"},
      "time_started": ${before(86_400)}, "time_finished": ${before(86_395)}, "credentials": null}`,
    '{"id": 1, "method": "a.b", "state": "RUNNING", "progress": {"percent": NaN}, "time_started": {"$date": 1e400}}',
    // A clock that is ahead of ours.
    `{"id": 0, "method": "a.b", "state": "FAILED", "time_started": ${before(-5)}}`,
    '{}',
  ];
  t.strictSame(jobTable(jobs.map(job), NOW, Infinity), [
    'ID  STATE        STARTED       ELAPSED   USER  METHOD      DESCRIPTION',
    '12  RUNNING 33%  Nov 26 11:00  01:00:00  root  pool.scrub  now this',
    '2   SUCCESS      Nov 25 12:00  00:00:05  -     a.b         why',
    '1   RUNNING      -             -         -     a.b',
    '0   FAILED       Nov 26 12:00  00:00:00  -     a.b',
    '-   -            -             -         -     -',
  ]);
  const old = job('{"id": 1, "time_started": {"$date": 1500000000000}}');
  t.match(jobTable([old], NOW, Infinity)[1], 'Jul 14 2017');
});

t.test('all that is known of a job, and nothing that is not', async (t) => {
  const record = `{"id": 7, "method": "a.b", "arguments": [1, {"x": NaN}], "state": "FAILED",
    "description": null, "abortable": true, "logs_path": "/var/log/x", "progress": {"percent": 5, "description": ""},
    "error": "[EIO] one\\ntwo", "result": null, "time_started": ${before(10)}, "time_finished": ${before(5)}}`;
  t.strictSame(jobDetails(job(record), NOW), [
    'id:         7',
    'method:     a.b',
    'arguments:  [1, {"x": NaN}]',
    'state:      FAILED',
    'progress:   5%',
    'started:    2026-11-26 11:59:50',
    'finished:   2026-11-26 11:59:55',
    'elapsed:    00:00:05',
    'abortable:  yes',
    'log:        /var/log/x',
    'error:      [EIO] one',
    '            two',
  ]);
  t.strictSame(jobDetails(job('{"id": 1, "method": "x", "state": "SUCCESS", "result": ""}'), NOW), [
    'id:      1',
    'method:  x',
    'state:   SUCCESS',
  ]);
});
