/** File servers that answer what they should not, and folders that others have prepared. */
import fs from 'node:fs';
import type net from 'node:net';
import t, { type Test } from 'tap';
import { startDaemon, surroundings } from '../../support/daemon.js';
import { startHostileServer, type Behaviour } from '../../support/hostile-server.js';
import {
  BINARY,
  finished,
  makeHome,
  midclt,
  shell,
  spawnMidclt,
  until,
} from '../../support/midclt.js';
import { noOtherUser, OTHER } from '../../support/other-user.js';

/** The token of everything. */
const TOKEN = 'TheSecretToken';

/** The id of the one job that runs on and on. */
const ENDLESS = 555;

/** A server whose jobs have succeeded; `onFile` is told the method that was asked for. */
async function start(t: Test, onFile: (stream: net.Socket, method: string) => void) {
  const methods: string[] = [];
  /** The jobs that were looked up. */
  const asked: number[] = [];
  const onRequest: NonNullable<Behaviour['onRequest']> = ({ answer }, { id, method, params }) => {
    if (method === 'auth.generate_token') answer(id, `"${TOKEN}"`);
    else if (method === 'core.download') {
      const job = methods.push(params[0] as string) - 1;
      answer(id, `[${job}, "/_download/${job}?auth_token=${TOKEN}"]`);
    } else if (method === 'core.job_download_logs') answer(id, '"/_download/log"');
    else if (method === 'core.get_jobs') {
      const [[[, , job]]] = params as [[[string, string, number]]];
      const record = {
        id: job,
        arguments: [],
        result: true,
        state: job === ENDLESS ? 'RUNNING' : 'SUCCESS',
      };
      const rest = { progress: { percent: 100 }, message_ids: [], error: null, transient: false };
      asked.push(job);
      const name = methods[job] ?? 'm';
      answer(id, JSON.stringify([{ ...record, ...rest, method: name }]));
    } else answer(id, 'null');
  };
  const hostile = await startHostileServer(t, {
    onRequest,
    onFile: (stream, head) => {
      const job = /^GET \/_download\/(\d+)/.exec(head)?.[1];
      onFile(stream, job === undefined ? 'upload' : (methods[Number(job)] ?? ''));
    },
  });
  const home = makeHome(t);
  fs.writeFileSync(`${home}/up`, Buffer.alloc(100_000));
  const run = (...args: string[]) =>
    midclt(['-u', hostile.uris.jsonrpc, ...args], { home, env: { MIDCLT_DEBUG: '1' } });
  return { home, run, asked, uri: hostile.uris.jsonrpc };
}

const NAMED = 'Content-Disposition: attachment; filename="f"\r\n';
const head = (status: string, ...lines: string[]) =>
  [`HTTP/1.1 ${status}`, ...lines, '', ''].join('\r\n');

t.test('answers that are no whole file, and what is said of them', async (t) => {
  const gzip = head('200 OK', 'Content-Encoding: gzip', 'Content-Length: 5');
  const where = `https://nas:444/_download/7?auth_token=${TOKEN}`;
  const echo = head('401 No', `Content-Length: ${TOKEN.length + 10}`);
  const cases: Record<string, readonly [answer: string, said: RegExp]> = {
    unended: [`HTTP/1.1 200 OK\r\n${NAMED}\r\nhello`, /does not say where it ends\n/],
    compressed: [`${gzip}hello`, /it is encoded, and nobody asked for that \(gzip\)\n/],
    elsewhere: [head('301 Moved', `Location: ${where}`), /redirects to https:\/\/nas:444; .*301/],
    beside: [head('302 Moved', `Location: /x?auth_token=${TOKEN}`), /redirects to another path; /],
    echo: [`${echo}not this: ${TOKEN}`, /not this: … \(HTTP 401\)/],
    switched: [head('101 Switched', 'Upgrade: x', 'Connection: upgrade'), /gave no answer/],
    short: [`${head('200 OK', 'Content-Length: 50')}hello`, /ended after 5 bytes/],
    broken: [`${head('200 OK', 'Transfer-Encoding: chunked')}5\r\nhello\r\n`, /after 5 bytes/],
    partial: [`${head('206 Partial', 'Content-Length: 5')}hello`, /HTTP 206/],
  };
  const { home, run } = await start(t, (stream, method) => stream.end(cases[method]?.[0] ?? ''));
  fs.mkdirSync(`${home}/to`);
  await Promise.all(
    Object.entries(cases).map(async ([method, [, said]]) => {
      const ended = await run('download', method, '-o', `${home}/to`);
      t.match(ended, { code: 1, stdout: '', stderr: said }, method);
      t.match(ended.stderr, /^Error: [^\n]+\n/);
      t.notMatch(ended.stderr, TOKEN, `${method}: no token is shown`);
    }),
  );
  t.same(fs.readdirSync(`${home}/to`), [], 'nothing is left');
});

t.test('an upload that another protocol answers', async (t) => {
  const { run } = await start(t, (stream) => {
    stream.write(head('101 Switched', 'Upgrade: x', 'Connection: upgrade'));
  });
  const ended = await run('upload', 'm', '--file', 'up');
  t.match(ended, { code: 1, stdout: '', stderr: /gave no answer.*may have taken/ });
});

t.test('Ctrl-C while the job of an upload goes on', async (t) => {
  const { home, uri, asked } = await start(t, (stream) => {
    stream.end(`${head('200 OK', 'Content-Length: 14')}{"job_id":555}`);
  });
  const child = spawnMidclt(['-u', uri, 'upload', 'm', '--file', 'up'], { home });
  const ended = finished(child);
  await until('the job to be followed', () => asked.filter((id) => id === ENDLESS).length > 1);
  child.kill('SIGINT');
  const stderr =
    /^Interrupted\. Job 555 goes on at the server; 'midclt -u .* job wait 555' waits .*\n$/;
  t.match(await ended, { signal: 'SIGINT', stderr });
});

t.test('names that a server gives: no option, no path, not without end', async (t) => {
  const names: Record<string, readonly [header: string, name: string]> = {
    dash: ['attachment; filename="-rf"', 'rf'],
    long: [`attachment; filename="${'a'.repeat(300)}"`, 'long'],
    encoded: ["attachment; filename*=UTF-8''..%2f..%2fpw%0a%00", 'pw'],
    bad: ["attachment; filename*=x''%ff", 'bad'],
    dashes: ['attachment; filename="--"', 'dashes'],
  };
  const { home, run } = await start(t, (stream, method) => {
    const [header = ''] = names[method] ?? [];
    const length = 'Content-Length: 5';
    stream.end(`${head('200 OK', `Content-Disposition: ${header}`, length)}hello`);
  });
  fs.mkdirSync(`${home}/to`);
  const runs = Object.entries(names).map(async ([method, [header, name]]) => {
    const ended = await run('download', method, '-o', `${home}/to`);
    t.match(ended, { code: 0, stdout: `${home}/to/${name}\n` }, header);
  });
  await Promise.all(runs);
});

t.test('a file of /proc is sent, although it is said to be empty', async (t) => {
  const received: Buffer[] = [];
  const { run } = await start(t, (stream) => {
    stream.on('data', (data) => {
      received.push(data);
      if (!Buffer.concat(received).includes('\r\n0\r\n\r\n')) return;
      stream.end(`${head('200 OK', 'Content-Length: 12')}{"job_id":1}`);
    });
    stream.resume();
  });
  const sent = await run('upload', 'm', '--file', '/proc/self/status');
  t.match(sent, { code: 0, stdout: 'True\n', stderr: '' });
  t.match(Buffer.concat(received).toString(), /VmRSS/);
});

t.test('where a file can go: nowhere, through links, and not where others lead it', async (t) => {
  const { home, uri } = await surroundings(t);
  const download = (file: string) =>
    midclt(['-u', uri, 'download', 'config.save', '-o', file], { home });
  const [empty, failed] = await Promise.all([
    download(''),
    midclt(['-u', uri, 'download', 'test.download', '9', '{"fail": 0}', '-o', 'failed'], { home }),
  ]);
  t.match(empty, { code: 1, stdout: '', stderr: /^Error: Cannot write '': no such file .*\n$/ });
  t.match(failed, { code: 1, stderr: /^\[EIO\] failed on purpose/ }, 'no word of an empty file');
  fs.symlinkSync('new', `${home}/dangling`);
  fs.symlinkSync('dangling', `${home}/link`);
  fs.symlinkSync('loop', `${home}/loop`);
  const [linked, looped, piped] = await Promise.all([
    download('link'),
    download('loop'),
    shell(`"$NODE" "$BIN" -u "$U" download config.save -o /dev/stdout | wc -c`, {
      home,
      env: { NODE: process.execPath, BIN: BINARY, U: uri },
    }),
  ]);
  t.match(linked, { code: 0, stdout: '', stderr: '' });
  t.equal(fs.statSync(`${home}/new`).size, 2048, 'a link to nothing leads there');
  t.ok(fs.lstatSync(`${home}/link`).isSymbolicLink());
  t.match(looped, { code: 1, stderr: /^Error: Cannot write loop: .*\n$/ });
  t.match(piped, { stdout: /^\s*2048\n$/, stderr: '' });
});

t.test('a link of another user in a folder of all', { skip: noOtherUser }, async (t) => {
  const { home, uri } = await surroundings(t);
  fs.mkdirSync(`${home}/all`);
  fs.chmodSync(`${home}/all`, 0o1777);
  fs.writeFileSync(`${home}/mine`, 'mine');
  fs.symlinkSync('../mine', `${home}/all/backup`);
  fs.lchownSync(`${home}/all/backup`, OTHER, OTHER);
  const args = ['-u', uri, 'download', 'config.save', '-o', `${home}/all/backup`];
  const refused = { code: 1, stderr: /^Error: Cannot write .*link of another user's\n$/ };
  t.match(await midclt(args, { home }), refused);
  t.equal(fs.readFileSync(`${home}/mine`, 'utf8'), 'mine');
  fs.lchownSync(`${home}/all/backup`, 0, 0);
  t.match(await midclt(args, { home }), { code: 0, stderr: '' });
  await until('the file', () => fs.statSync(`${home}/mine`).size === 2048);
});

t.test('many at once, whose jobs the server merges: nobody gets the file of another', async (t) => {
  const { home, d } = await startDaemon(t);
  const sizes = Array.from({ length: 14 }, (_none, i) => 1000 * (i + 1));
  const downloads = sizes.map((size) =>
    d(['download', 'test.download', `${size}`, '-o', `${size}`]),
  );
  for (const run of await Promise.all(downloads)) t.match(run, { code: 0, stderr: '' });
  for (const size of sizes) t.equal(fs.statSync(`${home}/${size}`).size, size);
  const uploads = sizes.map((size) =>
    d(['upload', 'test.upload', `{"delay": ${size / 1e6}}`, '--file', `${size}`]),
  );
  const ended = await Promise.all(uploads);
  ended.forEach(({ code, stdout, stderr }, i) => {
    if (code === 0) t.match(stdout, `"bytes": ${sizes[i]},`);
    else t.match(stderr, /^Error: The server has merged this with job \d+ .*; start it again\n$/);
  });
});
