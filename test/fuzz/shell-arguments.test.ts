/** Arguments of any bytes reach the middleware by way of the launcher as what they are: JSON as Python reads it, else a string. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { fuzz } from '../support/fuzz.js';
import { nearlyJson } from '../support/json-texts.js';
import { SHELLS } from '../support/launcher.js';
import { environment, LAUNCHER, missing } from '../support/midclt.js';
import { noPython, startOracle } from '../support/python-oracle.js';

interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly expected: string;
  readonly isSame: boolean;
}

/** Bytes, as latin1, with none that ends an argument. */
const bytes = fc
  .oneof(
    nearlyJson.filter((text) => text.length < 1000), // not as deep as what is no JSON for that
    fc
      .array(
        fc.constantFrom(
          ...Array.from('\'"\\`$(){}[]<>|&;*?~!#%@=:,. \t\n\r\x01\x1b\x7f\x80\xc3\xff01aeEu-'),
        ),
        { maxLength: 12 },
      )
      .map((all) => all.join('')),
    fc.uint8Array({ maxLength: 20 }).map((all) => Buffer.from(all).toString('latin1')),
    fc
      .string({ unit: 'grapheme', maxLength: 8 })
      .map((text) => Buffer.from(text).toString('latin1')),
    fc.constantFrom(
      '',
      '-',
      '--',
      '-h',
      '-j',
      '-5',
      '$HOME',
      '%s\\n',
      '\\n',
      '"\\u0000"',
      '\ufeff',
      '*',
      'a\n',
      '\n',
      '@{',
      '-n',
      '-e',
    ),
  )
  .map((text) => text.replaceAll('\0', ''));

t.test('arguments of any bytes', { skip: noPython || missing('nc') }, async (t) => {
  const { home, uri } = await startDaemon(t);
  const ask = startOracle(t);
  const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64');
  await fuzz(t, {
    name: "shell arguments, beside Python's json",
    inputs: 500,
    arbitrary: fc.record({
      shell: fc.constantFrom(...SHELLS),
      words: fc.array(bytes, { maxLength: 4 }),
    }),
    check: async ({ shell, words }) => {
      // What might be an option stands behind the word that ends them.
      const ends = words.some((word) => word.startsWith('-')) ? ['--'] : [];
      const run = (await ask('launched', {
        words: [...shell.split(' '), LAUNCHER, '-d', 'call', 'test.echo', ...ends].map(base64),
        arguments: words.map(base64),
        env: environment(home, { MIDCLT_URI: uri }),
      })) as Answer;
      assert.equal(run.stderr, '');
      assert.equal(run.code, 0);
      assert.ok(run.isSame, `${run.stdout} is not ${run.expected}`);
    },
  });
});
