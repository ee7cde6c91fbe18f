/** `midclt call -j` on a real terminal: what a person sees in the end. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import { startDaemon, type RunningDaemon } from '../../support/daemon.js';
import { missing, until } from '../../support/midclt.js';
import {
  onTerminal,
  startPuppet,
  type Puppet,
  type TerminalOptions,
} from '../../support/terminal.js';

const skip = missing('script', 'stty');
const test = (name: string, body: (t: Test) => Promise<void>) => t.test(name, { skip }, body);

let daemon: RunningDaemon;
t.before(async () => {
  daemon = await startDaemon(t);
});

const bar = (filled: number, percent: string, all = 40) =>
  `Total Progress: [${'#'.repeat(filled)}${'_'.repeat(all - filled)}] ${percent}%`;

/** A command between two others, whose lines must survive it. */
const between = (command: string) => `echo before; ${command}; code=$?; echo after; exit $code`;

/** On the real daemon, or without one. */
const run = (t: Test, way: string, command: string, options: Partial<TerminalOptions> = {}) =>
  onTerminal(t, between(`midclt -u "$URI" ${way} ${command}`), {
    home: daemon.home,
    ...options,
    env: { URI: daemon.uri, ...options.env },
  });

/** On a daemon that says what the test makes it say. */
async function playing(t: Test, more = '', options: Partial<TerminalOptions> = {}) {
  const puppet = await startPuppet(t);
  const terminal = onTerminal(t, between(`midclt ${puppet.globals} call -j ${more} x`), {
    home: puppet.home,
    ...options,
  });
  await puppet.asked();
  return { puppet, terminal };
}

/** Sends a progress frame and waits until it is drawn. */
async function show(
  { puppet, terminal }: { puppet: Puppet; terminal: ReturnType<typeof onTerminal> },
  percent: number | null,
  description: string,
): Promise<void> {
  const before = terminal.written().length;
  puppet.progress(percent, description);
  await until(
    'the whole bar to be drawn',
    () => terminal.written().length > before && terminal.screen.lines.at(-1)?.endsWith('%'),
  );
}

for (const way of ['-d', '']) {
  const how = way ? 'through a daemon' : 'without a daemon';

  for (const env of [{}, { NO_COLOR: '1' }]) {
    const title = `a job ends with two lines, the result below them ${JSON.stringify(env)}`;
    test(`${how} ${title}`, async (t) => {
      const terminal = run(t, way, 'call -j test.job 4 0.1 null "[1]"', { env });
      t.equal(await terminal.finished, 0);
      const lines = ['before', 'Status: step 4/4', bar(40, '100.00'), '[1]', 'after'];
      t.strictSame(terminal.screen.lines, lines);
      t.match(terminal.written(), 'step 2/4', 'there was more to see');
      t.notMatch(terminal.written(), /\x1b\[[\d;]*m/, 'no colour'); // eslint-disable-line no-control-regex
    });
  }

  test(`${how} a failed job leaves its last state above the error`, async (t) => {
    const terminal = run(t, way, 'call -j test.job 2 0.1 callerror');
    t.equal(await terminal.finished, 1);
    const { lines } = terminal.screen;
    t.strictSame(lines.slice(0, 3), ['before', 'Status: step 2/2', bar(20, '50.00')]);
    t.strictSame(lines.slice(3, 5), [
      '[EIO] job failed on purpose',
      'Traceback (most recent call last):',
    ]);
    t.strictSame(lines.slice(-2), ["{'hint': 'extra data'}", 'after']);
  });

  test(`${how} -jp description writes a line each, and nothing to act on`, async (t) => {
    const terminal = run(t, way, 'call -j -jp description test.job 3 0.1');
    t.equal(await terminal.finished, 0);
    const steps = ['step 1/3', 'step 2/3', 'step 3/3'];
    t.strictSame(terminal.screen.lines, ['before', ...steps, 'done', 'after']);
    t.notMatch(terminal.written(), '\x1b');
  });

  test(`${how} TERM=dumb gets plain lines, not one escape`, async (t) => {
    const terminal = run(t, way, 'call -j test.job 2 0.1', { env: { TERM: 'dumb' } });
    t.equal(await terminal.finished, 0);
    t.notMatch(terminal.written().replaceAll('\r\n', '\n'), /[\x1b\r\b]/); // eslint-disable-line no-control-regex
    t.strictSame(terminal.screen.lines.slice(-4), [
      'Status: step 2/2  Total Progress: 50.00%',
      'Status: step 2/2  Total Progress: 100.00%',
      'done',
      'after',
    ]);
  });

  test(`${how} a bar on the terminal and the result in a pipe keep apart`, async (t) => {
    const terminal = run(t, way, 'call -j test.job 2 0.1 null "[1]" | cat >result');
    await terminal.finished;
    const lines = ['before', 'Status: step 2/2', bar(40, '100.00'), 'after'];
    t.strictSame(terminal.screen.lines, lines);
    t.equal(fs.readFileSync(`${daemon.home}/result`, 'utf8'), '[1]\n');
  });

  test(`${how} plain lines in a pipe and the result on the terminal keep apart`, async (t) => {
    const terminal = run(t, way, 'call -j test.job 2 0.1 null "[1]" 2>progress');
    await terminal.finished;
    t.strictSame(terminal.screen.lines, ['before', '[1]', 'after']);
    const progress = fs.readFileSync(`${daemon.home}/progress`, 'utf8');
    t.match(progress, /^(?:Status: [^\x00-\x1f]+ {2}Total Progress: [\d.]+%\n)+$/); // eslint-disable-line no-control-regex
  });

  test(`${how} an error’s escape sequences reach a pipe, but not a terminal`, async (t) => {
    const fail = `call test.fail 2 "$(printf 'red \\033[31m \\033]0;title\\007\\033[2Jtext')"`;
    const terminal = run(t, way, fail);
    t.equal(await terminal.finished, 1);
    t.equal(terminal.screen.lines[1], '[ENOENT] red  text');
    t.notMatch(terminal.written(), '\x1b');
    const piped = run(t, way, `${fail} 2>error`);
    t.equal(await piped.finished, 1);
    t.match(
      fs.readFileSync(`${daemon.home}/error`, 'utf8'),
      '[ENOENT] red \x1b[31m \x1b]0;title\x07',
    );
  });
}

test('every draw leaves exactly two lines', async (t) => {
  const play = await playing(t);
  const { puppet, terminal } = play;
  for (const [percent, text, filled] of [
    [1, 'a long description that the next one is shorter than', 0],
    [53, 'short', 21],
    [99.99, 'two\nlines', 39],
  ] as const) {
    await show(play, percent, text);
    const [first] = text.split('\n');
    const lines = ['before', `Status: ${first}`, bar(filled, percent.toFixed(2))];
    t.strictSame(terminal.screen.lines, lines);
  }
  puppet.result('"x"');
  t.equal(await terminal.finished, 0);
  t.strictSame(terminal.screen.lines, ['before', 'Status: two', bar(40, '100.00'), 'x', 'after']);
});

test('a job that never tells a percentage ends with a full bar, too', async (t) => {
  const play = await playing(t);
  await show(play, null, 'thinking');
  t.strictSame(play.terminal.screen.lines.slice(1), ['Status: thinking', bar(0, '0.00')]);
  play.puppet.result('null');
  await play.terminal.finished;
  const lines = ['before', 'Status: thinking', bar(40, '100.00'), 'null', 'after'];
  t.strictSame(play.terminal.screen.lines, lines);
});

test('a job that never tells anything shows its result alone', async (t) => {
  const { puppet, terminal } = await playing(t);
  puppet.result('true');
  await terminal.finished;
  t.strictSame(terminal.screen.lines, ['before', 'True', 'after']);
});

test('an error of the connection stands on a line of its own below the bar', async (t) => {
  const play = await playing(t);
  await show(play, 33, 'on the way');
  play.puppet.vanish();
  t.equal(await play.terminal.finished, 1);
  const { lines } = play.terminal.screen;
  t.strictSame(lines.slice(0, 3), ['before', 'Status: on the way', bar(13, '33.00')]);
  t.match(lines.slice(3).join(''), /^Error: The daemon went away .*unknownafter$/);
});

for (const [columns, last] of [
  [40, bar(13, '100.00', 13)],
  [20, '100.00%'],
  [0, bar(40, '100.00')],
] as const)
  test(`${columns || 'untold'} columns are not left`, async (t) => {
    const play = await playing(t, '', { columns });
    const text =
      'a description longer than a narrow terminal is wide, and than a wide one, too, I hope';
    await show(play, 5, text);
    await show(play, 50, text);
    play.puppet.result('"x"');
    await play.terminal.finished;
    const { lines } = play.terminal.screen;
    const status = `Status: ${text}`.slice(0, (columns || 80) - 1).trimEnd();
    t.strictSame(lines, ['before', status, last, 'x', 'after']);
  });

for (const [onResize, most] of [
  ['cut', 0],
  ['reflow', 2],
] as const)
  test(`a terminal made narrower (${onResize}) ends with a clean bar, ${most} rows left at most`, async (t) => {
    const play = await playing(t, '', { columns: 100, onResize });
    const { puppet, terminal } = play;
    const text = 'copying 3 of 7 files from one place to another';
    await show(play, 10, text);
    const drawn = terminal.written().length;
    terminal.resize(40);
    await until('a bar as wide as the terminal', () => {
      puppet.progress(10, text); // drawn anew only when it would look different
      return terminal.written().length > drawn;
    });
    puppet.result('"x"');
    await terminal.finished;
    const { lines } = terminal.screen;
    const clean = ['Status: copying 3 of 7 files from one p', bar(13, '100.00', 13), 'x', 'after'];
    t.strictSame(lines.slice(-4), clean);
    t.equal(lines[0], 'before');
    t.ok(lines.length <= 1 + most + 4, lines.join('\n'));
  });

test('a terminal made wider leaves nothing behind', async (t) => {
  const play = await playing(t, '', { columns: 40, onResize: 'reflow' });
  const { puppet, terminal } = play;
  await show(play, 10, 'x'.repeat(50));
  terminal.resize(100);
  puppet.result('"x"');
  await terminal.finished;
  t.equal(terminal.screen.lines.length, 5, terminal.screen.lines.join('\n'));
});

const hostile = 'a\x1b[31mb\x1b[2Jc\x1b]0;title\x07d\x9b5Ae\rf\x08g';

for (const [more, env, expected] of [
  ['', {}, /^Status: abcde$/],
  ['', { TERM: 'dumb' }, /^Status: abcde(?: fg)? {2}Total Progress: 5.00%$/],
  ['-jp description', {}, /^abcdefg$/],
] as const)
  test(`no escapes of the server reach a terminal ${more}${JSON.stringify(env)}`, async (t) => {
    const { puppet, terminal } = await playing(t, more, { env });
    puppet.progress(5, hostile);
    puppet.error('bad \x1b[31mend\x07');
    t.equal(await terminal.finished.catch((error: unknown) => `${error as Error}`), 1);
    t.match(terminal.screen.lines[1], expected);
    t.strictSame(terminal.screen.lines.slice(-2), ['bad end', 'after']);
  });

test('off a terminal a description keeps its escape sequences', async (t) => {
  const puppet = await startPuppet(t);
  const command = `midclt ${puppet.globals} call -j -jp description x 2>lines`;
  const { finished } = onTerminal(t, command, { home: puppet.home });
  await puppet.asked();
  puppet.progress(5, hostile);
  puppet.result('1');
  await finished;
  t.equal(fs.readFileSync(`${puppet.home}/lines`, 'utf8'), `${hostile}\n`);
});
