/**
 * Replays captured conversations with a real server against the sandbox: the same requests must
 * get the same answers, letter for letter, but for times, random ids, tracebacks and what the
 * capture shortened (marked `…` there).
 */
import * as fs from 'node:fs';
import type { Socket } from 'node:net';
import * as path from 'node:path';
import t, { type Test as TapTest } from 'tap';
import { WebSocket } from 'ws';
import { startSandbox, type Sandbox } from '../../../../lib/sandbox/index.js';
import { ROOT } from '../../../support/root.js';

const VECTORS = path.join(ROOT, 'test/vectors/wire');

/** How to replay a section, where the capture doesn't say. */
interface Section {
  /** Not replayed, and why. */
  readonly not?: string;
  /** Peers that get a new connection here. */
  readonly fresh?: readonly string[];
  /** Requests the capture left out, with their unrecorded answers: peer → texts. */
  readonly setup?: Readonly<Record<string, readonly string[]>>;
  /** Messages for a section that records only answers, sent by `u` all at once. */
  readonly sends?: readonly (string | Buffer)[];
  /** Frames the capture left out: after which request of the section (0: before it, at `u`), how many. */
  readonly unseen?: Readonly<Record<number, number>>;
  /** What the capture has only a number of: at the line that begins with the first, `t` sends the rest all at once. */
  readonly burst?: readonly [line: string, ...messages: string[]];
  /** Only lines up to this text. */
  readonly until?: string;
  /** Done before the section's first line. */
  readonly before?: (sandbox: Sandbox) => Promise<void>;
}

interface FileReplay {
  /** The captures share one server: how many jobs there had been. */
  readonly jobsBefore?: number;
  /** The legacy wire. */
  readonly isLegacy?: boolean;
  readonly sections: Readonly<Record<string, Section>>;
}

/** Milliseconds in which a frame, or the end of a job, is there for sure. */
const PATIENCE = 60_000;

const call = (method: string, params: unknown[], id: unknown): string =>
  JSON.stringify({ jsonrpc: '2.0', method, params, id });
const login = (username: string): string =>
  call('auth.login', [username, `${username}-pw`], 'login');
const modern = call('core.set_options', [{ legacy_jobs: false }], 'modern');
const followed = call('core.subscribe', ['core.get_jobs'], 'followed');
const legacy = (method: string, params: unknown[], id: string): string =>
  JSON.stringify({ msg: 'method', id, method, params });
const SUMMARY = 'the capture has a summary only; test/unit/sandbox/sandbox.test.ts checks the same';

/** Every section of every capture ('' is what precedes a file's first heading). */
const REPLAYS: Readonly<Record<string, FileReplay>> = {
  'a_defaults.txt': { sections: { '': {} } },
  'b_job_legacy_true.txt': {
    sections: {
      '': {},
      failing: {},
      'not subscribed': {},
      'core.get_jobs by id': { unseen: { 0: 5 } },
    },
  },
  'c2_job_order.txt': { sections: { '': { not: SUMMARY } } },
  'c3_job_variants.txt': {
    jobsBefore: 76,
    sections: {
      '': {},
      'transient: no events at all': { setup: { u: [modern, followed] } },
      'lock, queue size 1: 4 concurrent calls': {
        sends: ['L0', 'L1', 'L2', 'L3'].map((id) => call('test.job_locked', [0, 0.05], id)),
      },
      'lock, queue size 0: 2 concurrent calls': {
        sends: ['M0', 'M1'].map((id, tag) => call('test.job_locked_busy', [tag, 0.05], id)),
      },
    },
  },
  'c4_unsubscribed.txt': { sections: { '': { setup: { u: [modern] } } } },
  'c_job_legacy_false.txt': {
    jobsBefore: 3,
    sections: {
      '': {},
      'fail callerror': {},
      'fail validation': {},
      'fail validation1': {},
      'fail exception': {},
      'fail process': {},
      'fail notfound': {},
      'fail match': {},
      'abort async job': { unseen: { 1: 2 } },
      'abort sync (thread) job': { unseen: { 1: 2 } },
      'abort a finished job / unknown job / non-abortable job': { unseen: { 3: 2 } },
      'core.job_wait (is itself a job)': { unseen: { 1: 2 } },
    },
  },
  'd_ids.txt': {
    sections: {
      '': {},
      'job with id None': { setup: { u: [modern, followed] } },
      'job with id 0': {},
      "job with id ''": {},
      'job with id 7': {},
      "job with id 's'": {},
      'job with id True': {},
      'job as notification (no id)': {},
      'plain call as notification': {},
      'core.get_jobs afterwards': {},
      'float id': {},
      'list id': {},
      'same id twice in flight': {},
    },
  },
  'e2_sizes.txt': {
    sections: Object.fromEntries(
      [
        '',
        'unauthenticated, 8192 chars',
        'unauthenticated, 8193 chars',
        'authenticated, 65536 chars',
        'authenticated, 65537 chars',
        'authenticated, 65066 chars = 130066 bytes (limit counts characters)',
        'authenticated, filesystem.file_receive, 2097152 chars',
        'authenticated, filesystem.file_receive, 2097153 chars',
        'authenticated, filesystem.file_receive, 4194304 chars',
        'authenticated, filesystem.file_receive, 4194305 chars',
        'authenticated, filesystem.file_receive, 5242880 chars',
        'legitimate call in flight when the connection is closed for size',
      ].map((name) => [name, { not: 'the capture lacks the messages; sandbox.test.ts has them' }]),
    ),
  },
  'e_malformed.txt': {
    sections: { '': {}, 'binary frame': { sends: [Buffer.from('binary')] } },
  },
  'f_concurrency.txt': {
    sections: {
      '': { not: SUMMARY },
      'legacy_jobs=false: do jobs hold a slot?': { not: SUMMARY },
      'legacy_jobs=true': { not: SUMMARY },
      'two connections: limit is per connection': { not: SUMMARY },
    },
  },
  'g_errors.txt': {
    sections: {
      '': {},
      "test.fail [2, 'some reason', {'a': 1}]": {},
      "test.fail [207, 'x']": {},
      "test.fail [9999, 'odd errno']": {},
      'test.validation []': {},
      "test.validated [{'name': 'x', 'count': 99, 'tags': 'no', 'zzz': 1}]": {},
      'test.validated []': {},
      'test.validated [1, 2, 3]': {},
      "test.raise_ ['exception']": {},
      "test.raise_ ['process']": {},
      "test.raise_ ['notfound']": {},
      "test.raise_ ['match']": {},
      "test.raise_ ['key']": {},
      "test.raise_ ['validation1']": {},
      'test.unserializable []': {},
      'test.ints []': {},
      'test.types []': {},
      "test.sleep ['abc']": {},
      'test.notauth []': {},
      // The option is taken; Python pickles are not made.
      'py_exceptions=true': { until: '"test.fail"' },
    },
  },
  'h_subscribe.txt': {
    sections: {
      '': {},
      'second subscription to the same event: events are NOT duplicated': {},
      unsubscribe: {},
      'unknown event; wildcard': {},
      'event source': { fresh: ['u'] },
      'event source failing': {},
      'event source, bad args': {},
      'event source unsubscribed by client': {},
      'not authorized (READONLY_ADMIN -> auth.sessions)': { setup: { t: [login('reader')] } },
      unauthenticated: { fresh: ['t'] },
      'auth.sessions': {
        setup: { a: [call('core.subscribe', ['auth.sessions'], 1)] },
        before: async (sandbox) => {
          const visitor = await Peer.open(sandbox, 't');
          await visitor.ask(login('admin'));
          await visitor.end();
        },
      },
    },
  },
  // What its summaries say, test/unit/sandbox/login/api-keys.test.ts checks.
  'i2_scram_negative.txt': { sections: { '': {} } },
  'i_login.txt': {
    sections: {
      '': {},
      '2FA': {},
      'SUCCESS, no user_info, reconnect token': { fresh: ['t'] },
      TOKEN_PLAIN: { fresh: ['t'] },
      // Its keys are the sandbox's own.
      'API keys': { fresh: ['t'] },
      'login over the unix socket': {},
    },
  },
  'j_ratelimit.txt': {
    sections: {
      '': {
        setup: {
          t: Array.from({ length: 20 }, (_, id) => call('auth.mechanism_choices', [], id + 1)),
        },
      },
      'other method, same connection: own counter': {},
      'new connection from the same address': {},
      'logged in: exempt': { setup: { t2: [login('admin')] } },
      'core.set_options is exempt': {},
    },
  },
  'k_session_expiry.txt': {
    sections: {
      '': { setup: { t: [login('admin')] } },
      'job events to the logged-out subscriber:': {},
      'test.event to a logged-out subscriber:': {
        fresh: ['t'],
        setup: { t: [login('admin'), call('core.subscribe', ['test.event'], 2)] },
        until: '"collection_update"', // nobody emits in the capture; sandbox.test.ts does
      },
    },
  },
  'l_drop.txt': { jobsBefore: 98, sections: { '': {} } },
  'q_legacy.txt': {
    jobsBefore: 101,
    isLegacy: true,
    sections: {
      '': {
        burst: [
          '22 concurrent',
          ...Array.from({ length: 22 }, (_, count) => legacy('test.sleep', [60], `c${count}`)),
        ],
      },
      'missing id': {
        fresh: ['t'], // the burst's other calls go with the old one
        setup: { t: ['{"msg":"connect","version":"1"}'] },
      },
      'invalid json': {},
      unix: {},
    },
  },
  't_owner.txt': {
    jobsBefore: 107,
    sections: {
      '': { setup: { t: [login('reader')] } },
      'same user, new connection, job still running': {
        fresh: ['t'],
        setup: { t: [login('reader')] },
      },
      'FULL_ADMIN, other connection': { fresh: ['t'], setup: { t: [login('admin')] } },
      'core.get_jobs events: a non-admin subscriber sees only its own jobs': { not: SUMMARY },
    },
  },
  'u_close.txt': { sections: { '': { not: SUMMARY } } },
};

/** One connection of a capture. The first letter of its name tells the transport: `t` is TCP, with TLS where the sandbox has it. */
class Peer {
  private readonly frames: string[] = [];
  private wake: () => void = () => undefined;
  private closing: string | null = null;

  private raw: Socket | null = null;

  private constructor(private readonly socket: WebSocket) {
    socket.once('upgrade', (response) => {
      this.raw = response.socket;
    });
    socket.on('message', (data: Buffer) => {
      this.frames.push(data.toString());
      this.wake();
    });
    socket.on('close', (code, reason) => {
      this.closing = `[CLOSE] code=${code} data=${code} extra='${reason.toString()}'`;
      this.wake();
    });
  }

  static async open(sandbox: Sandbox, name: string, where = '/api/current'): Promise<Peer> {
    const tcp =
      sandbox.wssPort === null
        ? `ws://127.0.0.1:${sandbox.wsPort ?? 0}${where}`
        : `wss://127.0.0.1:${sandbox.wssPort}${where}`;
    const socket = new WebSocket(
      name.startsWith('t') ? tcp : `ws+unix:${sandbox.unixPath ?? ''}:${where}`,
      // Compressed messages never arrive together.
      { perMessageDeflate: false, ca: sandbox.certificate ?? undefined },
    );
    const peer = new Peer(socket);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return peer;
  }

  send(data: string): void {
    this.socket.send(data);
  }

  /** In one piece, so that they arrive together. */
  sendTogether(messages: readonly (string | Buffer)[]): void {
    this.raw?.cork();
    for (const message of messages) this.socket.send(message);
    this.raw?.uncork();
  }

  /** The next frame, or how the connection ended. */
  async next(): Promise<string> {
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      const frame = this.frames.shift() ?? this.closing;
      if (frame !== null) return frame;
      if (Date.now() > deadline) return '(no frame within a minute)';
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, PATIENCE);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async ask(text: string): Promise<string> {
    this.send(text);
    return this.next();
  }

  abort(): void {
    this.socket.terminate();
  }

  async end(): Promise<void> {
    if (this.closing !== null) return;
    const closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.close();
    await closed;
  }
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const RANDOM = new RegExp(`${UUID.source}|[\\w-]{64}(?=")`, 'g');

/** What may differ between two runs, made the same. */
function normal(text: string): string {
  return text
    .replace(/"(formatted|exception)": "(?:[^"\\]|\\.)*"/g, '"$1": "Traceback"')
    .replace(/("(?:time_\w+|login_at|created_at)": \{"\$date": )\d+/g, '$10')
    .replace(/pid=\d+ uid=\d+ gid=\d+/g, 'pid uid gid')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1')
    .replace(RANDOM, '<random>')
    .replace(/("roles": \{"\$set": \[).*$/s, '$1…');
}

/** The captures were written without ASCII escapes. */
function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-f]{4})|.)/g, (all, hex: string | undefined) =>
    hex === undefined || parseInt(hex, 16) < 0x7f ? all : String.fromCharCode(parseInt(hex, 16)),
  );
}

/** A pattern of a recorded line; `…[123]` is where the capture was cut. */
function pattern(expected: string): RegExp {
  const pieces = normal(expected).split(/…(?:\[\d+(?: chars)?\])?/);
  return new RegExp(
    `^${pieces.map((piece) => piece.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('[^]*')}$`,
  );
}

/** Some captures note events as Python tuples: the same from a frame. */
function summary(expected: string, frame: string): string {
  interface JobFrame {
    params: {
      msg: string;
      id: number;
      fields: { message_ids: unknown[]; state: string; result: unknown };
    };
  }
  if (!frame.includes('"collection_update"')) return frame;
  const { msg, id, fields } = (JSON.parse(frame) as JobFrame).params;
  const ids = fields.message_ids.map((item) =>
    item === true ? 'True' : typeof item === 'string' ? `'${item}'` : JSON.stringify(item),
  );
  if (expected.startsWith("('event'"))
    return `('event', '${msg}', 'message_ids=', [${ids.join(', ')}], '${fields.state}')`;
  const result = fields.result === null ? 'None' : JSON.stringify(fields.result);
  return `('${msg}', ${id}, [${ids.join(', ')}], '${fields.state}', ${result})`;
}

interface Line {
  readonly section: string;
  readonly text: string;
}

function linesOf(file: string): Line[] {
  let section = '';
  const lines: Line[] = [];
  for (const text of fs.readFileSync(path.join(VECTORS, file), 'utf8').split('\n')) {
    const heading = /^ -- (.*)$/.exec(text)?.[1];
    if (heading !== undefined) section = heading;
    if (text.startsWith('===') || text === '') continue;
    lines.push({ section, text: heading === undefined ? text.trimStart() : '' });
  }
  return lines;
}

/** Plays one file; answers how many of its requests were sent and how many answers compared. */
class Replay {
  readonly counts = { requests: 0, answers: 0 };
  private readonly peers = new Map<string, Peer>();
  private readonly aliases = new Map<string, string>();
  private inSection = 0;

  constructor(
    private readonly test: TapTest,
    private readonly sandbox: Sandbox,
    private readonly isLegacy: boolean,
  ) {}

  async prepare({
    fresh = [],
    setup = {},
    sends = [],
    unseen = {},
    before,
  }: Section): Promise<void> {
    this.inSection = 0;
    for (const name of fresh) {
      await this.peers.get(name)?.end();
      this.peers.delete(name);
    }
    for (const [name, requests] of Object.entries(setup)) {
      const peer = await this.peer(name);
      for (const request of requests) await peer.ask(request);
    }
    if (sends.length > 0) {
      (await this.peer('u')).sendTogether(sends);
      this.counts.requests += sends.length;
    }
    for (let left = unseen[0] ?? 0; left > 0; left -= 1) await (await this.peer('u')).next();
    await before?.(this.sandbox);
  }

  async line(text: string, { unseen = {}, burst }: Section): Promise<void> {
    if (burst !== undefined && text.startsWith(burst[0])) {
      const [, ...messages] = burst;
      (await this.peer('t')).sendTogether(messages);
      this.counts.requests += messages.length;
      return;
    }
    if (text === '(client aborted the socket)') {
      const isReceived = (): boolean => this.sandbox.countOf('test.job_sync') === 1;
      while (!isReceived()) await new Promise(setImmediate);
      (await this.peer('u')).abort();
      this.peers.delete('u');
      await this.finishedJobs();
      return;
    }
    const [, name = '', direction = '', content = ''] = /^([a-z]\d?)([<>]) (.*)$/s.exec(text) ?? [];
    if (direction === '' || content.startsWith('(nothing') || content.startsWith('[CLOSED]'))
      return;
    const peer = await this.peer(name);
    if (direction === '>') {
      peer.send(content.replace(RANDOM, (recorded) => this.aliases.get(recorded) ?? recorded));
      this.counts.requests += 1;
      this.inSection += 1;
      for (let left = unseen[this.inSection] ?? 0; left > 0; left -= 1) await peer.next();
      return;
    }
    this.counts.answers += 1;
    const frame = unescaped(await peer.next());
    this.learn(content, frame);
    const actual = content.startsWith('(') ? summary(content, frame) : normal(frame);
    this.test.match(actual, pattern(content), content.slice(0, 120));
  }

  /** Nothing may be left over: the next frame is the answer to a last ping. */
  async finish(): Promise<void> {
    for (const [name, peer] of this.peers) {
      const write = this.isLegacy ? legacy : call;
      const last = await peer.ask(write('core.ping', [], 'the end'));
      const pong = this.isLegacy
        ? '{"id": "the end", "msg": "result", "result": "pong"}'
        : '{"jsonrpc": "2.0", "result": "pong", "id": "the end"}';
      if (!last.startsWith('[CLOSE]')) this.test.equal(last, pong, name);
      await peer.end();
    }
  }

  /** Random ids of the capture stand for ours in the requests that follow. */
  private learn(expected: string, actual: string): void {
    const recorded = expected.match(RANDOM) ?? [];
    const ours = actual.match(RANDOM) ?? [];
    recorded.forEach((item, index) => this.aliases.set(item, ours[index] ?? item));
  }

  private async finishedJobs(): Promise<void> {
    const observer = await this.peer('o');
    const running = call('core.get_jobs', [[['state', '!=', 'SUCCESS']], { count: true }], 1);
    const deadline = Date.now() + PATIENCE;
    while (!(await observer.ask(running)).includes('"result": 0') && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
  }

  private async peer(name: string): Promise<Peer> {
    const known = this.peers.get(name);
    if (known !== undefined) return known;
    const where = this.isLegacy ? '/websocket' : '/api/current';
    const peer = await Peer.open(this.sandbox, name, where);
    this.peers.set(name, peer);
    return peer;
  }
}

async function replay(
  test: TapTest,
  file: string,
  plan: FileReplay,
  transport: 'ws' | 'wss',
): Promise<Replay['counts']> {
  const directory = fs.mkdtempSync('/tmp/m-');
  const sandbox = await startSandbox({
    unix: path.join(directory, 's'),
    [transport]: 0,
    failedLoginDelayMs: 0,
    rateLimit: { calls: 20, windowMs: 60_000, delayMs: 10 },
    scram: { iterations: 1000 },
  });
  test.teardown(async () => {
    await sandbox.close();
    fs.rmSync(directory, { recursive: true });
  });
  if (plan.jobsBefore !== undefined) {
    const peer = await Peer.open(sandbox, 'u');
    await peer.ask(modern);
    for (let count = plan.jobsBefore; count > 0; count -= 1)
      await peer.ask(call('test.job_transient', [0], count));
    await peer.end();
  }
  const run = new Replay(test, sandbox, plan.isLegacy === true);
  let current: string | null = null;
  let isOn = false;
  for (const { section, text } of linesOf(file)) {
    const rules = plan.sections[section] ?? {};
    if (rules.not !== undefined) continue;
    if (section !== current) {
      current = section;
      isOn = true;
      await run.prepare(rules);
    }
    if (rules.until !== undefined && text.includes(rules.until)) isOn = false;
    if (isOn && text !== '') await run.line(text, rules);
  }
  await run.finish();
  return run.counts;
}

t.test('the table names every section of every capture', (test) => {
  const files = fs.readdirSync(VECTORS).filter((name) => name.endsWith('.txt'));
  test.same(Object.keys(REPLAYS).sort(), files.sort());
  for (const file of files) {
    const sections = [...new Set(linesOf(file).map(({ section }) => section))];
    const named = Object.keys(REPLAYS[file]!.sections).filter((name) => name !== '');
    test.same(named.sort(), sections.filter((name) => name !== '').sort(), file);
  }
  test.end();
});

const totals = { requests: 0, answers: 0 };
for (const [file, plan] of Object.entries(REPLAYS)) {
  const isReplayed = Object.values(plan.sections).some((section) => section.not === undefined);
  if (!isReplayed) continue;
  t.test(`the sandbox answers as recorded in ${file}`, async (test) => {
    const { requests, answers } = await replay(test, file, plan, 'ws');
    test.ok(answers > 0, `${requests} requests, ${answers} answers`);
    totals.requests += requests;
    totals.answers += answers;
  });
  if (!linesOf(file).some(({ text }) => /^t\d?>/.test(text))) continue;
  t.test(`TLS makes no difference to what is recorded in ${file}`, async (test) => {
    test.ok((await replay(test, file, plan, 'wss')).answers > 0);
  });
}

t.test('most of what was recorded is replayed', (test) => {
  test.comment(`${totals.requests} requests sent, ${totals.answers} answers compared`);
  test.ok(totals.requests >= 175, `${totals.requests} requests`);
  test.ok(totals.answers >= 280, `${totals.answers} answers`);
  test.end();
});
