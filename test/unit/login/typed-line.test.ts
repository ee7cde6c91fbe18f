import t from 'tap';
import { TypedLine } from '../../../lib/login/prompt.js';

/** What comes of keys that arrive in these pieces. */
function type(...pieces: readonly (string | Buffer)[]): unknown {
  const line = new TypedLine();
  let typed: unknown = null;
  for (const piece of pieces) typed ??= line.take(Buffer.from(piece));
  return typed;
}

const line = (text: string) => ({ kind: 'line', text });

t.test('keys that edit', async (t) => {
  t.same(type('secret\r'), line('secret'));
  t.same(type('secret\n', 'more\n'), line('secret'));
  t.same(type('\r'), line(''));
  t.same(type('\x7f', 'xé\u{1f511}', '\b\x7f', 'y\r'), line('xy'));
  t.same(type('wrong\x15right\r'), line('right'));
  t.same(type('a\x04b\x1ac\r'), line('abc'), 'Ctrl-D and Ctrl-Z behind something');
  t.same(type('a\x1b[Db\x1b[1;5Cc\0\t\r'), line('abc'), 'other keys');
});

t.test('keys that end it', async (t) => {
  t.same(type('x\x03'), { kind: 'signal', signal: 'SIGINT' });
  t.same(type('x\x1c'), { kind: 'signal', signal: 'SIGQUIT' });
  t.same(type('\x04'), { kind: 'end' });
  t.same(type('x\x7f\x1a'), { kind: 'end' });
  t.equal(type('goes on'), null);
});

t.test('a character in pieces', async (t) => {
  const text = 'pä\u{1f511}ß';
  const pieces = [...Buffer.from(`${text}\r`)].map((byte) => Buffer.of(byte));
  t.same(type(...pieces), line(text));
});
