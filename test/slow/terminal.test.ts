/** A server that says what a terminal acts on, wherever it can say anything: nothing of it reaches the terminal. */
import fs from 'node:fs';
import t from 'tap';
import { endAll } from '../support/lifecycle.js';
import { startHostileServer } from '../support/hostile-server.js';
import { makeHome, missing } from '../support/midclt.js';
import { onTerminal } from '../support/terminal.js';

t.setTimeout(240_000);

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
const ANSWERS: Readonly<Record<string, unknown>> = {
  'core.get_methods': { [`a.${EVIL}`]: ENTRY, 'a.b': ENTRY },
  'core.get_events': { [`b.${EVIL}`]: ENTRY, 'b.c': ENTRY },
  'core.get_jobs': [JOB],
  'system.version': EVIL,
  'core.ping': EVIL,
  'auth.login_ex': { response_type: 'SUCCESS', user_info: { pw_name: EVIL }, authenticator: EVIL },
};

const COMMANDS = [
  'call x.y',
  'call -o pretty x.y',
  'call -o table x.y',
  'call -o jsonl x.y',
  'call -o tsv x.y',
  'call system.version',
  'call x.raise',
  'call x.gone',
  'ping',
  '-d call x.y',
  '-d call system.version',
  '-d call x.raise',
  '-d call x.gone',
  '-d ping',
  '-d -t 2 call -j x.y',
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
  '-d -t 2 job log 1',
  'daemon-status',
  'daemon-list',
  'daemon-log',
  'daemon-log --json',
  'doctor',
  'doctor --json',
  '-t 2 download x.y',
  '-t 2 download -o . x.y',
  '-d -t 2 job wait 1',
  '-d -t 2 job abort 1',
  '-d job list -o table=id,method,description',
  '-d batch result.json',
  '-d -t 2 batch --progress raise.json',
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
  '-p all -t 2 job wait 1',
  '-p all -t 2 job log 1',
  '-p all batch result.json',
  '-p nas profile list',
];

t.test('what a hostile server says drives no terminal', { skip: missing('script') }, async (t) => {
  const home = makeHome(t);
  t.teardown(() => endAll(home));
  const server = await startHostileServer(t, {
    onRequest(victim, { id, method }) {
      if (method === 'x.gone') victim.socket.close(1011, 'evil\x1b[31m\x9b1m');
      else if (method === 'x.raise') {
        const data = {
          error: 5,
          errname: EVIL,
          type: EVIL,
          reason: EVIL,
          trace: TRACE,
          extra: [[EVIL, EVIL, 5]],
        };
        const error = JSON.stringify({ code: -32001, message: EVIL, data });
        victim.say(`{"jsonrpc": "2.0", "id": ${JSON.stringify(id)}, "error": ${error}}`);
      } else victim.answer(id, JSON.stringify(ANSWERS[method] ?? [{ [EVIL]: EVIL }]));
    },
    onSubscribe(victim, id) {
      victim.answer(id, JSON.stringify(EVIL));
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
  const one = (uri: string) => COMMANDS.map((each) => `-u ${uri} -U admin --plain ${each}`);
  const lines = [
    ...one(server.uris.jsonrpc),
    ...one(server.uris.legacy).filter((each) => /call|job|batch|log/.test(each)),
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
    const text = written();
    // A line ends so at a terminal; and it may go back to where a line began, to draw it anew.
    const driving = (text.match(/\p{Cc}/gu) ?? []).filter((each) => !'\r\n\t'.includes(each));
    t.same(driving, [], command);
    t.ok(text.length > 1 && !/Node\.js v/.test(text), `${command}: ${text.slice(0, 200)}`);
    seen += text.includes('evil') ? 1 : 0;
  }
  t.ok(seen > 15, `${seen} commands showed what the server said`);
});
