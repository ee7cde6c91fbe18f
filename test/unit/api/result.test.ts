/** Results as they are collected, up to what a string can hold. */
import { constants } from 'node:buffer';
import t from 'tap';
import { Collected } from '../../../lib/api/result.js';

t.test('pieces become one text', (t) => {
  const collected = new Collected();
  t.equal(collected.text().text, '');
  const [first = 0, ...rest] = Buffer.from('"é"').subarray(1);
  collected.take(Buffer.from('"'));
  collected.take(Buffer.from([first])); // half of a character
  collected.take(Buffer.from(rest));
  t.equal(collected.text().text, '"é"');
  t.end();
});

t.test('what no string can hold is an error, however it came', (t) => {
  const piece = Buffer.alloc(2 ** 20, 'x');
  const collected = new Collected();
  const count = Math.floor(constants.MAX_STRING_LENGTH / piece.length) + 1;
  for (let i = 0; i < count; i++) collected.take(piece);
  const bytes = count * piece.length;
  t.throws(() => collected.text('pool.query'), {
    code: 'TOO_LONG',
    message: new RegExp(`"pool.query" has ${bytes} bytes.*stream\\(\\)`),
  });
  t.end();
});
