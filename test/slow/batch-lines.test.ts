/** `midclt batch`: lines that are no request as they stand. */
import fs from 'node:fs';
import t from 'tap';
import { MAX_REQUEST_LINE } from '../../lib/protocol/frames.js';
import { startDaemon, type RunningDaemon } from '../support/daemon.js';
import { midclt } from '../support/midclt.js';
import { PING, type Frame } from '../support/wire.js';

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t);
});

const WAYS = [['-d'], []] as const;
const MARK = '\ufeff';
const FAIL = '["test.fail", 2, "no"]';

const framesOf = (stdout: string) =>
  stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Frame);

const read = (name: string) => fs.readFileSync(`${daemon.home}/${name}`, 'utf8');
const batch = (way: readonly string[], args: readonly string[], input = '') =>
  midclt(['-u', daemon.uri, ...way, 'batch', ...args], { home: daemon.home, input });

for (const way of WAYS) {
  const named = way[0] ?? 'without -d';

  t.test(`${named}: of what is too long for a request no piece is kept`, async (t) => {
    const long = (size: number) => `["test.echo","${'x'.repeat(size)}"]`;
    const wide = `["test.echo","${'\u{1f600}'.repeat(MAX_REQUEST_LINE / 2)}"]`;
    const lines = [long(3_000_000), FAIL, wide, long(MAX_REQUEST_LINE), FAIL];
    const run = await batch(way, ['--failed', 'f'], `${lines.join('\n')}\n`);
    t.equal(run.code, 1);
    t.match(
      framesOf(run.stdout).map(({ error }) => error),
      [/longer than/, '[ENOENT] no', /longer than/, /longer than/, '[ENOENT] no'],
    );
    t.ok(read('f') === `${FAIL}\n${FAIL}\n`, 'the whole ones');
    t.equal(
      run.stderr,
      `f lacks requests 1, 3-4: too long, a request has at most ${MAX_REQUEST_LINE} characters; only the input has them whole\n`,
    );
    const more = ['--failed', 'f', '--resume-from', '2'];
    const rest = await batch(way, more, `${FAIL}\n${long(3_000_000)}\n`);
    t.match(rest, {
      code: 1,
      stderr: /^f lacks request 2: too long, [^\n]* only the input has it whole\n$/,
    });
    t.ok(read('f') === `${FAIL}\n${FAIL}\n`, 'what was there still is');
  });
}

t.test('a byte-order mark costs no request, wherever files were put together', async (t) => {
  const write = (name: string, text: string) => {
    fs.writeFileSync(`${daemon.home}/${name}`, text);
  };
  write('a', `${MARK}${FAIL}\r\n${PING.trim()}\r\n`);
  write('b', `${MARK}${PING}${MARK}${FAIL}\n`); // as `cat` leaves it
  write('nothing', MARK);
  for (const way of WAYS) {
    const files = ['a', 'nothing', 'b', '-'];
    const run = await batch(way, ['--failed', 'f', ...files], `${MARK}${PING}`);
    t.match(run, { code: 1, stderr: '' });
    t.same(
      framesOf(run.stdout).map(({ result, error }) => result ?? error),
      ['[ENOENT] no', 'pong', 'pong', '[ENOENT] no', 'pong'],
    );
    t.equal(read('f'), `${FAIL}\n${FAIL}\n`, 'ready to be run again');
    const rest = await batch(way, ['--resume-from', '3', ...files], `${MARK}${PING}`);
    t.equal(framesOf(rest.stdout).length, 3);
  }
});
