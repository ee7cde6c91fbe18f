/** What the scanner takes for JSON is what JSON.parse does, however the text is cut. */
import assert from 'node:assert';
import fc from 'fast-check';
import t from 'tap';
import { fuzz } from '../support/fuzz.js';
import { parses, verdictOf } from '../support/random-json.js';

/** Texts that are JSON, or were before something was put into them or left out. */
const nearJson = fc.oneof(
  fc.json(),
  fc
    .tuple(fc.json(), fc.nat(), fc.nat({ max: 3 }), fc.string({ maxLength: 3, unit: 'binary' }))
    .map(([text, at, length, put]) => {
      const start = at % (text.length + 1);
      return text.slice(0, start) + put + text.slice(start + length);
    }),
);

t.test('the scanner takes what JSON.parse takes', (t) =>
  fuzz(t, {
    name: 'JSON scanner, beside JSON.parse',
    inputs: 2000,
    arbitrary: fc.tuple(nearJson, fc.integer({ min: 1, max: 64 })),
    check: ([text, bytes]) => {
      assert.equal(verdictOf(text, bytes) === 'valid', parses(text), text);
    },
  }),
);
