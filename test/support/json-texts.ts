/** Arbitrary texts of JSON for fast-check, spelled in every way that Python takes; and what nearly are some. */
import fc from 'fast-check';

const digits = (most: number) => fc.stringMatching(/^[0-9]+$/, { maxLength: most });
const integer = fc.oneof(
  fc.maxSafeInteger().map(String),
  fc.bigInt().map(String),
  fc.constantFrom('0', '-0', '1', '-1', '9007199254740993', '18446744073709551615'),
);
export const scalar = fc.oneof(
  integer,
  fc.constantFrom('null', 'true', 'false', 'NaN', 'Infinity', '-Infinity'),
  fc.constantFrom('2.0', '-0.0', '1E400', '-1e400', '5e-324', '1e-400', '1e16', '1e+15', '1E-05'),
  fc.double().map((value) => JSON.stringify(value)),
  fc
    .tuple(
      integer,
      fc.option(digits(20)),
      fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'E-'), digits(3))),
    )
    .map(
      ([whole, fraction, power]) =>
        whole + (fraction === null ? '' : `.${fraction}`) + (power?.join('') ?? ''),
    ),
);

const hex = fc
  .integer({ min: 0, max: 0xffff })
  .map((unit) => unit.toString(16).padStart(4, '0'))
  .chain((text) => fc.constantFrom(text, text.toUpperCase()));
/** A character of a string, raw or escaped. */
const piece = fc.oneof(
  fc.constantFrom(...['a', ' ', 'é', '😀', '\u2028', '\u007f', '\u009b', '{', ']', ',', ':', '0']),
  fc.constantFrom(...['\\n', '\\t', '\\"', '\\\\', '\\/', '\\b', '\\f', '\\r', '\\u0000', "'"]),
  fc.constantFrom('\\ud83d', '\\ude00', '\\uD83D\\uDE00', '\\u00e9'),
  hex.map((text) => `\\u${text}`),
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 3 })
    .map((text) => JSON.stringify(text).slice(1, -1)),
  fc
    .string({ unit: 'binary', minLength: 1, maxLength: 2 })
    .map((text) => JSON.stringify(text).slice(1, -1)),
);
export const string = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.array(piece, { maxLength: 12 }).map((pieces) => `"${pieces.join('')}"`),
  },
  // Longer than what is read at once, here and there.
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.array(piece, { minLength: 1, maxLength: 6 }), fc.integer({ min: 10, max: 60 }))
      .map(([pieces, times]) => `"${pieces.join('').repeat(times)}"`),
  },
);
const blanks = fc.oneof(
  { weight: 8, arbitrary: fc.constant('') },
  fc.stringMatching(/^[ \t\r\n]{0,3}$/),
);
/** Few names, so that some come twice. */
const key = fc.oneof(
  fc.constantFrom('"a"', '"b"', '"\\u0061"', '""', '"__proto__"', '"1"'),
  string,
);

/** Of lists and objects of what `leaf` makes. */
export function textsOf(leaf: fc.Arbitrary<string>, keys = key): fc.Arbitrary<string> {
  const around = (inner: fc.Arbitrary<string>) =>
    fc.tuple(blanks, inner, blanks).map((parts) => parts.join(''));
  const { value } = fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      tie('list'),
      tie('object'),
    ),
    list: fc
      .tuple(blanks, fc.array(around(tie('value')), { maxLength: 6 }))
      .map(([blank, items]) => `[${items.join(',') || blank}]`),
    object: fc
      .tuple(blanks, fc.array(fc.tuple(around(keys), around(tie('value'))), { maxLength: 6 }))
      .map(([blank, members]) => `{${members.map((each) => each.join(':')).join(',') || blank}}`),
  }));
  return around(value);
}

export const json = textsOf(fc.oneof(scalar, string));

/** What others take for a value. */
const nearlyScalar = fc.constantFrom(
  ...[
    '01',
    '-01',
    '00',
    '1.',
    '.5',
    '-.5',
    '+1',
    '1e',
    '1e+',
    '-',
    '0x1',
    '1_0',
    '1.e5',
    '1E+',
    '--1',
    '٣',
  ],
  ...[
    'True',
    'None',
    'nan',
    'nul',
    'nullx',
    '-NaN',
    '-Infinit',
    'inf',
    'undefined',
    '1 2',
    '',
    '/**/1',
  ],
  ...[
    "'a'",
    '"\t"',
    '"\n"',
    '"\\x41"',
    '"\\u12g4"',
    '"\\u 123"',
    '"\\U00000041"',
    '"',
    '"a',
    '[1,]',
    '{,}',
    '{1:1}',
  ],
);
const nearlyValues = textsOf(
  fc.oneof({ weight: 8, arbitrary: scalar }, { weight: 2, arbitrary: string }, nearlyScalar),
);

/** At the limits of how deep a value may be, and of how many digits an integer may have. */
const extreme = fc.oneof(
  fc
    .tuple(
      fc.constantFrom<[string, string][]>(['[', ']'], ['{"a":', '}'], ['[{"a": [', ']}]']),
      fc.integer({ min: 160, max: 505 }),
      scalar,
    )
    .map(([[open, close], times, leaf]) => open.repeat(times) + leaf + close.repeat(times)),
  fc
    .tuple(
      fc.constantFrom('', '-', '[', '0.', '-1e'),
      fc.integer({ min: 4295, max: 4305 }),
      fc.constantFrom('', '.5', ']', 'e1'),
    )
    .map(([before, times, behind]) => before + '7'.repeat(times) + behind),
  fc
    .tuple(fc.integer({ min: 60, max: 66 }), scalar)
    .map(
      ([members, leaf]) =>
        `{${Array.from({ length: members }, (_, at) => `"${at}": ${leaf}`).join(', ')}}`,
    ),
  fc.integer({ min: 990, max: 1010 }).map((length) => `{"${'k'.repeat(length)}": 1}`),
  fc
    .tuple(scalar, fc.integer({ min: 2, max: 300 }))
    .map(([text, times]) => `[${Array(times).fill(text).join(',')}]`),
);

const TOKENS = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  ' ',
  '\n',
  '0',
  '-',
  '.',
  'e',
  'u',
  'N',
  '\0',
  '\x1f',
  '\u00a0',
  '\ufeff',
  '٣',
];
/** What is put into a text in place of a few characters of it. */
const slip = fc.tuple(
  fc.nat(),
  fc.nat({ max: 3 }),
  fc.oneof(
    fc.constantFrom(...TOKENS),
    scalar,
    fc.string({ maxLength: 3, unit: 'binary' }),
    fc.uint8Array({ maxLength: 3 }),
  ),
);

/** Bytes (as latin1, which shows them): JSON, or what was before something was put into it or left out; not all of it UTF-8. */
export const nearlyJson: fc.Arbitrary<string> = fc
  .tuple(
    fc.oneof(
      { weight: 20, arbitrary: json },
      { weight: 4, arbitrary: nearlyValues },
      { weight: 1, arbitrary: extreme },
    ),
    fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(slip, { maxLength: 3 })),
  )
  .map(([text, slips]) => {
    let bytes = Buffer.from(text);
    for (const [at, length, put] of slips) {
      const start = at % (bytes.length + 1);
      bytes = Buffer.concat([
        bytes.subarray(0, start),
        Buffer.from(put as string),
        bytes.subarray(start + length),
      ]);
    }
    return bytes.toString('latin1');
  });
