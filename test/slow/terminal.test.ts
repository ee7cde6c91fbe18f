/** A server that says what a terminal acts on, wherever it can say anything: nothing of it reaches the terminal. */
import fs from 'node:fs';
import type net from 'node:net';
import t from 'tap';
import { endAll } from '../support/lifecycle.js';
import { startHostileServer, type Heard, type Victim } from '../support/hostile-server.js';
import { makeHome, missing } from '../support/midclt.js';
import { onTerminal } from '../support/terminal.js';

t.setTimeout(600_000);

/** A title, colours (the short form, too), a device's string, a title of one byte, a reset, a backspace, a DEL. */
const EVIL =
  'evil\x1b]0;PWNED\x07\x1b[31mred\x9b31m\x90q\x9c\x9d0;PWNED\x9c\x08\rover\x1bc\x7f\x85';
const ENTRY = {
  ...{ description: EVIL, job: true, roles: [EVIL], item_method: true },
  accepts: [{ type: 'string', title: EVIL, description: EVIL, enum: [EVIL], _name_: EVIL }],
  returns: [{ type: 'object', properties: { [EVIL]: { type: 'string', description: EVIL } } }],
};
const JOB = {
  ...{ id: 1, method: EVIL, state: 'RUNNING', arguments: [EVIL], description: EVIL },
  progress: { percent: 50, description: EVIL, extra: EVIL },
  ...{ error: EVIL, exception: EVIL, exc_info: { type: EVIL, repr: EVIL, extra: EVIL } },
  ...{ logs_excerpt: EVIL, logs_path: EVIL, time_started: { $date: 1e12 }, result: EVIL },
  ...{ abortable: true, credentials: { type: EVIL, data: { username: EVIL } } },
};
const TRACE = {
  ...{ class: EVIL, formatted: EVIL, repr: EVIL },
  frames: [{ filename: EVIL, lineno: 1, method: EVIL, line: EVIL, locals: { [EVIL]: EVIL } }],
};
const ENDED = { ...JOB, state: 'FAILED' };
const ANSWERS: Readonly<Record<string, unknown>> = {
  'core.get_methods': { [`a.${EVIL}`]: ENTRY, 'a.b': ENTRY },
  'core.get_events': { [`b.${EVIL}`]: ENTRY, 'b.c': ENTRY },
  'core.get_jobs': [JOB],
  'core.download': [1, '/_download/1'],
  'core.job_download_logs': '/_download/1',
  'system.version': EVIL,
  'core.ping': EVIL,
  'auth.login': true,
  'auth.me': { pw_name: EVIL },
  'auth.generate_token': 'token',
  'auth.login_ex': { response_type: 'SUCCESS', user_info: { pw_name: EVIL }, authenticator: EVIL },
};

const COMMANDS = [
  'call x.y',
  'call -o pretty x.y',
  'call -o table x.y',
  'call -o jsonl x.y',
  'call -o tsv=id,method core.get_jobs',
  'call system.version',
  'call x.raise',
  'call x.gone',
  'ping',
  '-d call x.y',
  '-d call system.version',
  '-d call x.raise',
  '-d call x.gone',
  '-d ping',
  '-d call -j x.y',
  '-d call -j x.job',
  '-d call -j -jp description x.job',
  '-d subscribe -n 1 core.get_jobs',
  'methods',
  'methods --json',
  'describe a.b',
  'describe --json a.b',
  'call a.b -h',
  'events',
  '-d job list',
  '-d job list --json',
  '-d job show 1',
  '-d job show --json 1',
  '-d job log 1',
  '-d job log -o /dev/tty 1',
  'download -o - x.y',
  'daemon-status',
  'daemon-list',
  'daemon-log',
  'daemon-log --json',
  'doctor',
  'doctor --json',
  'download x.y',
  'download -o . x.y',
  '-d job wait 1',
  '-d job follow 1',
  '-d job abort 1',
  'upload x.y --file result.json',
  '-d upload x.raise --file result.json',
  '-d call -o table=id,method,description core.get_jobs',
  '-d batch result.json',
  '-d batch --progress raise.json',
  '-d batch gone.json',
  'complete methods',
  'complete events',
  'types',
  'describe b.c',
];

/** The same for several systems at once. */
const FLEET = [
  '-p all call x.y',
  '-p all call -o table=id,method x.y',
  '-p all call -o tsv=id,method x.y',
  '-p all call x.raise',
  '-p all call x.gone',
  '-p all ping',
  '-p all job list',
  '-p all job list --json',
  '-p all job show 1',
  '-p all job wait 1',
  '-p all job log 1',
  '-p all batch result.json',
  '-p nas profile list',
];

function answer(victim: Victim, { id, method, params }: Heard): void {
  if (method === 'x.gone') victim.socket.close(1011, 'evil\x1b[31m\x9b1m');
  else if (method === 'x.raise') raise(victim, id);
  else if (method === 'x.job') {
    const own = { method, arguments: [], message_ids: [id] };
    victim.event(JSON.stringify({ ...JOB, ...own }), 'added');
    victim.answer(id, '1');
    victim.event(JSON.stringify({ ...ENDED, ...own }));
  } else if (method === 'core.get_jobs') {
    // For a transfer it is asked whether the job is another's.
    const isTransfer = JSON.stringify(params).includes('message_ids');
    victim.answer(id, JSON.stringify(isTransfer ? [] : [JOB]));
    // Who waits for it has seen it run, and sees it end.
    victim.event(JSON.stringify(ENDED));
  } else victim.answer(id, JSON.stringify(ANSWERS[method] ?? [{ [EVIL]: EVIL }]));
}

function raise(victim: Victim, id: string): void {
  const data = {
    ...{ error: 5, errname: EVIL, type: EVIL, reason: EVIL },
    ...{ trace: TRACE, extra: [[EVIL, EVIL, 5]] },
  };
  const error = victim.isLegacy ? data : { code: -32001, message: EVIL, data };
  const message = victim.isLegacy ? { msg: 'result', id, error } : { jsonrpc: '2.0', id, error };
  victim.say(JSON.stringify(message));
}

/** A file, whose name is none either; the id of a job; or a refusal. */
function serveFile(stream: net.Socket, head: string): void {
  const give = (status: string, body: string) => {
    const length = `Content-Length: ${Buffer.byteLength(body)}`;
    const name = 'Content-Disposition: attachment; filename="\x9b31mred\x9c"';
    stream.write(`HTTP/1.1 ${status}\r\n${length}\r\n${name}\r\n\r\n`, 'latin1');
    stream.end(body);
  };
  if (head.startsWith('GET')) give('200 OK', EVIL);
  else {
    let body = '';
    stream.on('data', (piece: Buffer) => {
      body += piece.toString('latin1');
      if (!body.endsWith('--\r\n')) return;
      if (body.includes('x.raise')) give('500 \x9b31m', EVIL);
      else give('200 OK', '{"job_id": 1}');
    });
  }
}

t.test('what a hostile server says drives no terminal', { skip: missing('script') }, async (t) => {
  const home = makeHome(t);
  t.teardown(() => endAll(home));
  const server = await startHostileServer(t, {
    onRequest: answer,
    onFile: serveFile,
    onSubscribe(victim, id) {
      if (victim.isLegacy) victim.say(JSON.stringify({ msg: 'ready', subs: [id, EVIL] }));
      else victim.answer(id, JSON.stringify(EVIL));
      victim.event(JSON.stringify({ ...JOB, [EVIL]: EVIL }));
      return true;
    },
  });
  fs.mkdirSync(`${home}/.config/midclt`, { recursive: true, mode: 0o700 });
  const profile = (name: string, uri: string) =>
    `[profile.${name}]\nuri = "${uri}"\nusername = "admin"\nplain = true\npassword_file = "password"\n`;
  fs.writeFileSync(
    `${home}/.config/midclt/profiles.toml`,
    profile('nas', server.uris.jsonrpc) + profile('old', server.uris.legacy),
    { mode: 0o600 },
  );
  fs.writeFileSync(`${home}/.config/midclt/password`, 'secret', { mode: 0o600 });
  fs.writeFileSync(`${home}/password`, 'secret', { mode: 0o600 });
  const requests = { result: 'x.y', raise: 'x.raise', gone: 'x.gone' };
  for (const [name, method] of Object.entries(requests))
    fs.writeFileSync(`${home}/${name}.json`, JSON.stringify({ command: 'call', method }));
  const one = (uri: string) => {
    const system = `-u ${uri} -U admin --plain`;
    return COMMANDS.map((each) =>
      each.startsWith('complete') ? `${each} ${system}` : `${system} ${each}`,
    );
  };
  const lines = [
    ...one(server.uris.jsonrpc),
    ...one(server.uris.legacy),
    ...FLEET,
    `-u ${server.uris.jsonrpc} -U admin --plain login --password-file password new`,
  ];
  let seen = 0;
  for (const command of lines) {
    const line = `midclt ${command}`;
    const { written, finished, type } = onTerminal(t, line, {
      ...{ home, isRaw: true },
      env: { MIDCLT_AUTOSTART: '', MIDCLT_PASSWORD: 'secret', TERM: 'dumb', NO_COLOR: '1' },
    });
    if (command.includes(' login ')) type('\r'.repeat(5));
    const ended = await Promise.race([
      finished,
      new Promise((resolve) =>
        setTimeout(() => {
          resolve('hangs');
        }, 20_000).unref(),
      ),
    ]);
    t.not(ended, 'hangs', command);
    t.not(ended, 2, `${command} is a command`);
    const text = written();
    // A line ends so at a terminal; and it may go back to where a line began, to draw it anew.
    const driving = (text.match(/\p{Cc}/gu) ?? []).filter((each) => !'\r\n\t'.includes(each));
    t.same(driving, [], command);
    t.notMatch(text, 'Failed to login', command);
    t.ok(text.length > 1 && !/Node\.js v/.test(text), `${command}: ${text.slice(0, 200)}`);
    seen += text.includes('evil') ? 1 : 0;
  }
  t.ok(seen > 90, `${seen} commands showed what the server said`);
});
