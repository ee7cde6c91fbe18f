/** What daemons say of themselves, as Prometheus reads it. */
import t from 'tap';
import { exposition, type Observed } from '../../../../lib/cli/output/prometheus.js';
import type { StatusReport } from '../../../../lib/protocol/status.js';

const REPORT: StatusReport = {
  ...{ pid: 7, version: '1.2.3', protocol: 1, started: '2026-01-02T03:04:05.678Z', uptime: 9 },
  ...{ uri: 'wss://nas/api/current', username: 'admin', phase: 'accepting', lifetime: 600 },
  ...{ clients: 2, memory: 64_000_000 },
  middleware: {
    ...{ uri: 'wss://nas/api/current', state: 'waiting', since: '2026-01-02T03:04:06.000Z' },
    ...{ last_error: 'x', logins: 3, reconnects: 2, can_log_in_again: false },
  },
  calls: {
    ...{ served: 10, failed: 4, in_flight: 1, queued: 5 },
    latency: { p50: 1.1, p90: 70.07, p99: 1234.5 },
  },
  jobs: { followed: 6 },
  settings: {
    ...{ concurrency: 8, call_timeout: 60, linger: 1, max_connections: 1024, memory: 512 },
    ...{ log_file: null, log_level: 'info', managed: false },
  },
};

const SOCKET = '/home/me/.midclt/daemon-0123456789ab.sock';
const RUNNING: Observed = {
  socket: SOCKET,
  state: 'running',
  report: REPORT,
  profiles: ['a', 'b'],
};

/** Samples by name and labels, the socket's left out. */
function samples(lines: readonly string[]): Map<string, number> {
  const found = lines.filter((line) => !line.startsWith('#'));
  return new Map(
    found.map((line) => {
      const [, series = '', value] = /^(.*) (\S+)$/.exec(line) ?? [];
      const short = series.replace(`{socket="${SOCKET}"}`, '').replace(`socket="${SOCKET}",`, '');
      return [short, Number(value)];
    }),
  );
}

t.test('a report becomes numbers in base units', async (t) => {
  const found = samples(exposition([RUNNING]));
  const expected: Record<string, number> = {
    midclt_daemon_up: 1,
    'midclt_daemon_state{state="running"}': 1,
    'midclt_daemon_state{state="hung"}': 0,
    'midclt_daemon_info{daemon="0123456789ab",uri="wss://nas/api/current",username="admin",profile="a,b",version="1.2.3"}': 1,
    midclt_daemon_start_time_seconds: 1_767_323_045.678,
    midclt_daemon_accepting: 1,
    midclt_daemon_resident_memory_bytes: 64_000_000,
    midclt_clients: 2,
    midclt_clients_limit: 1024,
    'midclt_calls_total{outcome="succeeded"}': 10,
    'midclt_calls_total{outcome="failed"}': 4,
    midclt_calls_in_flight: 1,
    midclt_calls_in_flight_limit: 8,
    midclt_calls_queued: 5,
    'midclt_call_duration_seconds{percentile="50"}': 0.0011,
    'midclt_call_duration_seconds{percentile="90"}': 0.07007,
    'midclt_call_duration_seconds{percentile="99"}': 1.2345,
    midclt_jobs_followed: 6,
    'midclt_middleware_state{state="waiting"}': 1,
    'midclt_middleware_state{state="ready"}': 0,
    midclt_middleware_state_change_timestamp_seconds: 1_767_323_046,
    midclt_middleware_can_log_in_again: 0,
    midclt_middleware_logins_total: 3,
    midclt_middleware_reconnects_total: 2,
  };
  for (const [series, value] of Object.entries(expected)) t.equal(found.get(series), value, series);
});

t.test('a daemon that does not answer is down, and nothing else is claimed', async (t) => {
  for (const state of ['gone', 'hung', 'foreign', 'unusable'] as const) {
    const lines = exposition([
      {
        socket: SOCKET,
        state,
        report: null,
        uri: 'wss://nas/api/current',
        username: 'admin',
        profiles: ['a'],
      },
    ]);
    const found = samples(lines);
    t.equal(found.get('midclt_daemon_up'), 0);
    t.equal(found.get(`midclt_daemon_state{state="${state}"}`), 1);
    t.equal([...found.values()].filter(Boolean).length, 2, 'that, and the information');
    t.match(
      lines.join('\n'),
      'uri="wss://nas/api/current",username="admin",profile="a",version=""',
    );
    t.notMatch(lines.join('\n'), /midclt_(?:calls|clients|middleware)/);
  }
});

t.test('samples of a name are together, behind one HELP and one TYPE', async (t) => {
  const other = { ...RUNNING, socket: '/home/me/.midclt/daemon-local.sock' };
  const lines = exposition([RUNNING, other], '/home/me/.midclt');
  t.equal(samples(lines).get('midclt_daemons{directory="/home/me/.midclt"}'), 2);
  const names: string[] = [];
  lines.forEach((line, i) => {
    const [, name = ''] = /^# HELP (\w+) \S/.exec(line) ?? [];
    if (name === '') {
      t.ok(line.startsWith(names.at(-1) ?? 'none', line.startsWith('# TYPE ') ? 7 : 0), line);
      return;
    }
    names.push(name);
    t.match(lines[i + 1], new RegExp(`^# TYPE ${name} (?:gauge|counter)$`));
  });
  t.equal(new Set(names).size, names.length);
  t.equal(new Set(lines).size, lines.length, 'no line comes twice');
  for (const line of lines.filter((each) => each.startsWith('# TYPE')))
    t.equal(line.endsWith(' counter'), / \w+_total /.test(line), line);
});

t.test('an empty directory has a count', async (t) => {
  t.strictSame(exposition([], '/d'), [
    '# HELP midclt_daemons Daemons that have a socket in the directory.',
    '# TYPE midclt_daemons gauge',
    'midclt_daemons{directory="/d"} 0',
  ]);
  t.strictSame(exposition([]), []);
});

t.test('labels are escaped, and control characters leave no line broken', async (t) => {
  const username = 'a"b\\c\nd\u001b"e\u0007é\r';
  const lines = exposition([{ ...RUNNING, report: { ...REPORT, username } }]);
  const [info = ''] = lines.filter((line) => line.startsWith('midclt_daemon_info'));
  // The escape character and the quotation mark behind it are one sequence for a terminal.
  t.match(info, String.raw`username="a\"b\\c\nd`);
  t.match(info, /é",profile="a,b",version="1\.2\.3"\} 1$/);
  // eslint-disable-next-line no-control-regex
  t.notMatch(info, /[\u0000-\u001f]/);
});

t.test(
  'what an older daemon does not tell is left out, and an unknown state is told',
  async (t) => {
    const { settings, ...older } = REPORT;
    t.ok(settings);
    const report = {
      ...older,
      started: 'x',
      calls: { ...REPORT.calls, latency: null },
      middleware: { ...REPORT.middleware, state: 'new' },
    };
    const lines = exposition([{ ...RUNNING, report }]);
    t.notMatch(lines.join('\n'), /_limit|start_time|duration/);
    t.notMatch(lines.join('\n'), /undefined|null|NaN/);
    t.equal(samples(lines).get('midclt_middleware_state{state="new"}'), 1);
  },
);
