/** F42: a log that nobody reads takes neither memory nor the end of the daemon. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { PassThrough, Writable } from 'node:stream';
import t from 'tap';
import { openLog } from '../../../../lib/daemon/log/log.js';
import { makeHome, missing, until } from '../../../support/midclt.js';

t.jobs = 4; // they wait, side by side

interface Line {
  readonly event: string;
  readonly n?: number;
  readonly lines?: number;
}

const parsed = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);

/** Numbered lines in order, with the gaps that are told of. */
function account(lines: readonly Line[]): { written: number; lost: number; inOrder: boolean } {
  const numbers = lines.flatMap(({ n }) => (n === undefined ? [] : [n]));
  const lost = lines
    .filter(({ event }) => event === 'log lines lost')
    .reduce((sum, line) => sum + (line.lines ?? 0), 0);
  const inOrder = numbers.every((n, i) => i === 0 || n > (numbers[i - 1] ?? 0));
  return { written: numbers.length, lost, inOrder };
}

t.test(
  'F42: of a reader that stands the log keeps little, and says later what is lost',
  async (t) => {
    const stderr = new PassThrough();
    const { log, close } = openLog('-', { stderr });
    const count = 200_000;
    for (let n = 0; n < count; n++) {
      log('info', 'line', { n });
      if (n % 1000 === 0) await new Promise(setImmediate);
    }
    let text = '';
    stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await until('it to be told, without another line', () => text.includes('log lines lost'));
    log('info', 'line', { n: count });
    await close();
    const { written, lost, inOrder } = account(parsed(text));
    t.ok(written < 20_000, `${written} lines were kept`);
    t.equal(written + lost, count + 1, 'each line is there or counted');
    t.ok(inOrder);
  },
);

t.test('F42: a reader that never reads on does not keep it from its end', async (t) => {
  const stderr = new Writable({ write: () => undefined }); // what it takes is never done
  const { log, close } = openLog('-', { stderr });
  for (let n = 0; n < 5000; n++) log('info', 'line', { n });
  await Promise.race([
    close(),
    new Promise((_resolve, reject) => {
      setTimeout(reject, 20_000, new Error('it waits for its reader')).unref();
    }),
  ]);
  t.pass('it ends');
});

t.test('F42: so it is with a named pipe', { skip: missing('mkfifo') }, async (t) => {
  const pipe = `${makeHome(t)}/pipe`;
  spawnSync('mkfifo', [pipe]);
  const { O_RDWR, O_NONBLOCK } = fs.constants;
  const reader = fs.openSync(pipe, O_RDWR | O_NONBLOCK);
  t.teardown(() => {
    fs.closeSync(reader);
  });
  const read = () => {
    const buffer = Buffer.alloc(65_536);
    try {
      return buffer.toString('latin1', 0, fs.readSync(reader, buffer));
    } catch {
      return ''; // it is empty
    }
  };
  const stderr = new PassThrough();
  const { log, close, file } = openLog(pipe, { stderr });
  t.equal(file, pipe);
  const count = 100_000;
  for (let n = 0; n < count; n++) log('info', 'line', { n });
  let text = '';
  await until('it to be told', () => (text += read()).includes('log lines lost'));
  const { written, lost, inOrder } = account(parsed(text));
  t.ok(written < 20_000, `${written} lines were kept`);
  t.equal(written + lost, count, 'each line is there or counted');
  t.ok(inOrder);
  for (let n = 0; n < 5000; n++) log('info', 'line', { n });
  await close();
  t.equal(stderr.read(), null, 'nothing was wrong');
});

t.test('F42: a named pipe without a reader is none that waits', async (t) => {
  const pipe = `${makeHome(t)}/pipe`;
  spawnSync('mkfifo', [pipe]);
  const stderr = new PassThrough();
  const { log, close, file } = openLog(pipe, { stderr });
  t.equal(file, null);
  log('info', 'line', { n: 1 });
  await close();
  t.match(String(stderr.read()), /^Cannot write the log file .*\. Logging to stderr\.\n.*"n":1/s);
});
