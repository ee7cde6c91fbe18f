import t from 'tap';

import {
  DescriptionLines,
  ProgressBar,
  type ProgressOutput,
} from '../../../../lib/cli/output/progress.js';

const REDRAW = '\r\x1b[2K\x1b[1A\x1b[2K';

/** An output that remembers, and whose width can change. */
class Memory implements ProgressOutput {
  written = '';

  constructor(
    readonly isTTY: boolean,
    public columns: number | undefined = 80,
  ) {}

  write(text: string): void {
    this.written += text;
  }

  /** What was written since the last time. */
  take(): string {
    const text = this.written;
    this.written = '';
    return text;
  }
}

function onTerminal(columns?: number): { out: Memory; bar: ProgressBar } {
  const out = new Memory(true, columns);
  return { out, bar: new ProgressBar(out, { TERM: 'xterm' }) };
}

function cells(filled: number, all = 40): string {
  return `Total Progress: [${'#'.repeat(filled)}${'_'.repeat(all - filled)}]`;
}

t.test('a terminal shows two lines, drawn again in place', (t) => {
  const { out, bar } = onTerminal();
  bar.update(25, 'Starting');
  t.equal(out.take(), `Status: Starting\n${cells(10)} 25.00%`);
  bar.update(53, ' Copying \nfile 3 of 7');
  t.equal(out.take(), `${REDRAW}Status: Copying\n${cells(21)} 53.00%`);
  bar.finish(true);
  t.equal(out.take(), `${REDRAW}Status: Copying\n${cells(40)} 100.00%\n`);
  t.end();
});

t.test('a job that fails leaves its last state', (t) => {
  const { out, bar } = onTerminal();
  bar.update(53, 'Copying');
  out.take();
  bar.finish(false);
  t.equal(out.take(), '\n');
  t.end();
});

t.test('a job without progress prints nothing', (t) => {
  for (const success of [true, false]) {
    const { out, bar } = onTerminal();
    bar.finish(success);
    t.equal(out.take(), '');
  }
  t.end();
});

t.test('nothing is drawn after the end, and the end only once', (t) => {
  const { out, bar } = onTerminal();
  bar.update(1, 'x');
  bar.finish(true);
  out.take();
  bar.update(2, 'y');
  bar.finish(true);
  t.equal(out.take(), '');
  t.end();
});

t.test('what an update does not tell stays as it was', (t) => {
  const { out, bar } = onTerminal();
  bar.update(null, null);
  t.equal(out.take(), `Status: (none)\n${cells(0)} 0.00%`);
  bar.update(50, '');
  t.equal(out.take(), `${REDRAW}Status: (none)\n${cells(20)} 50.00%`);
  bar.update(null, 'half');
  t.equal(out.take(), `${REDRAW}Status: half\n${cells(20)} 50.00%`);
  bar.update(0, ' \n ');
  bar.update(NaN, null);
  t.equal(out.take(), '', 'nothing changed, nothing written');
  t.end();
});

t.test('the percentage stays between 0 and 100', (t) => {
  const { out, bar } = onTerminal();
  bar.update(-5, 'x');
  t.match(out.take(), `${cells(0)} 0.00%`);
  bar.update(250, 'x');
  t.match(out.take(), `${cells(40)} 100.00%`);
  bar.update(99.999, 'x');
  t.match(out.take(), `${cells(39)} 100.00%`);
  bar.update(33.337, 'x');
  t.match(out.take(), `${cells(13)} 33.34%`);
  t.end();
});

t.test('the lines are cut to the width the terminal has at that moment', (t) => {
  const { out, bar } = onTerminal(40);
  bar.update(50, 'x'.repeat(100));
  t.equal(out.take(), `Status: ${'x'.repeat(31)}\n${cells(7, 14)} 50.00%`);
  out.columns = 30;
  bar.update(50, null);
  t.equal(out.take(), `${REDRAW}Status: ${'x'.repeat(21)}\n${cells(2, 4)} 50.00%`);
  out.columns = 29;
  bar.update(50, null);
  t.equal(out.take(), `${REDRAW}Status: ${'x'.repeat(20)}\n50.00%`);
  out.columns = 4;
  bar.update(50, null);
  t.equal(out.take(), `${REDRAW}Sta\n50.`);
  for (const unknown of [undefined, 0]) {
    out.columns = unknown;
    bar.update(unknown === 0 ? 51 : 52, null);
    t.match(out.take(), `Status: ${'x'.repeat(71)}\nTotal`);
  }
  t.end();
});

t.test('a cut falls between code points', (t) => {
  const { out, bar } = onTerminal(12);
  bar.update(1, '😀😀😀😀😀');
  t.equal(out.take(), 'Status: 😀😀😀\n1.00%');
  t.end();
});

const hostile =
  'a\x1b[31mb\x1b[0m\x1b[2Jc\x9b1;1Hd\x1b]0;title\x07e\x1b]8;;http://x\x1b\\f\x1b(Bg\x1bc' +
  'h\x00i\x08j\tk\x7fl\x85m\x90dcs\x9cn\x1b]openo\x1b';

t.test('a terminal is given nothing of the server to act on', (t) => {
  const { out, bar } = onTerminal();
  bar.update(1, hostile);
  t.equal(out.take(), `Status: abcdefghijklmnopeno\n${cells(0)} 1.00%`);
  const lines = new DescriptionLines(out);
  lines.update(1, hostile + '\r\nz');
  lines.update(1, '\x1b[0m');
  t.equal(out.take(), 'abcdefghijklmnopenoz\n');
  t.end();
});

t.test('hostile text takes no more time than its length asks for', (t) => {
  const { out, bar } = onTerminal();
  // The time of this process alone, whatever else the machine does.
  const before = process.cpuUsage();
  for (const piece of ['\x9d', '\x1b]', '\x1b[1', '\x1b ', 'x']) {
    bar.update(1, piece.repeat(300_000) + '!');
  }
  t.ok(process.cpuUsage(before).user < 2_000_000);
  t.ok(out.written.length < 2000);
  t.end();
});

t.test('off a terminal each change is one plain line', (t) => {
  const dumb = { out: new Memory(true), env: { TERM: 'dumb' } };
  const piped = { out: new Memory(false), env: { TERM: 'xterm' } };
  for (const { out, env } of [dumb, piped]) {
    const reset = out === dumb.out ? '' : '\x1b[0m'; // a dumb terminal is one all the same
    const bar = new ProgressBar(out, env);
    bar.update(null, null);
    t.equal(out.take(), 'Status: (none)  Total Progress: 0.00%\n');
    bar.update(53, ' one\r\ntwo\nthree\x1b[0m ');
    t.equal(out.take(), `Status: one two three${reset}  Total Progress: 53.00%\n`);
    bar.update(53, 'one two three\x1b[0m');
    bar.update(null, null);
    bar.finish(true);
    t.equal(out.take(), '');
  }
  t.end();
});

t.test('the environment of the process is the default', (t) => {
  const { TERM } = process.env;
  t.teardown(() => {
    if (TERM === undefined) delete process.env['TERM'];
    else process.env['TERM'] = TERM;
  });
  process.env['TERM'] = 'dumb';
  const out = new Memory(true);
  new ProgressBar(out).update(1, 'x');
  t.equal(out.take(), 'Status: x  Total Progress: 1.00%\n');
  t.end();
});

t.test('each new description is a line of its own', (t) => {
  const out = new Memory(false);
  const lines = new DescriptionLines(out);
  lines.update(1, null);
  lines.update(2, '');
  lines.update(3, ' one ');
  lines.update(4, ' one ');
  lines.update(5, 'two\nthree\x1b[0m');
  lines.update(6, ' one ');
  lines.finish();
  t.equal(out.take(), ' one \ntwo\nthree\x1b[0m\n one \n');
  t.end();
});
