/** Random files of profiles: as `profile add` writes them, as people do, and as nobody should. */

export const URIS = [
  'ws+unix:///run/a.sock',
  'ws+unix:///run/a b.sock:/websocket',
  'wss://nas1.example/api/current',
  'WSS://nas2.example/api/current',
  'ws://[::1]:6000/api/current?a=1&b=$HOME',
];
export const USERS = ['admin', 'root', "o'brien", 'a:b'];
export const NAMES = ['nas1', 'a', '_x', 'b-c', '1', 'a.b', 'constructor', '__proto__'];

/** What else may stand where a text does. */
export const VALUES = [
  ...['"x"', "'x'", '""', '"""x"""', "'''x'''", '"a\\tb"', '"\\"', '"a\\"b"', '"é"', '"a"b"', '"a'],
  ...['1', 'true', 'false', 'True', 'truex', 'true1', 'false#x', '[]', '["a"]', '[ "a", "b", ]'],
  ...['["a" "b"]', '[""]', '["a", 1]', '[["a"]]', '{a = 1}', '{}', '1979-05-27', 'inf', '', '#'],
  ...[
    '"a # b"',
    '["a # b", "]"]',
    '[ "a"',
    '"a" "b"',
    '"\tb"',
    '"# ',
    '[ , ]',
    '"a\x07"',
    '"\x7f"',
  ],
]; /** What else may stand in a line. */
export const LINES = [
  ...['', ' ', '\t', '# comment', '  # größer', '#\tcomment', '#\x07', '# [profile.a]', 'x', '='],
  ...[
    '[profile]',
    '[[profile.a]]',
    '[profile.a.b]',
    '[ profile.a ]',
    '[profile . a]',
    '[profiles.a]',
  ],
  ...["[profile.'a']", '[profile."a"', '[profile.""]', '[profile.a] x', '[profile."a"] # x', '[a]'],
  ...['[profile.all]', '[profile."local"]', '[profile.-a]', '[profile."a b"]', '[profile.é]'],
  ...[
    `[profile.${'x'.repeat(64)}]`,
    `[profile.${'x'.repeat(65)}]`,
    '["profile".a]',
    '[profile.a]]',
  ],
  ...[
    'uri = """',
    '"""',
    "groups = '''",
    "'''",
    'groups = [',
    '"a",',
    ']',
    'uri = "a" # b',
    'a.b = 1',
  ],
  ...['profile.a.uri = "x"', 'profile = { a = { uri = "x" } }', 'uri', '"uri" = "x"', 'URI = "x"'],
  ...['default = "local"', 'default = "all"', 'default = ""', 'default = "a,b"', 'default = true'],
];
const KEYS = [
  ...['uri', 'username', 'api_key_file', 'password_file', 'insecure', 'plain'],
  ...[
    'no_channel_binding',
    'groups',
    'default',
    'other',
    'u-ri',
    'uri2',
    '__proto__',
    'constructor',
  ],
];
const CHARACTERS = [
  '"',
  "'",
  '\\',
  '#',
  '=',
  '[',
  ']',
  ' ',
  '\n',
  '\t',
  '\r\n',
  '\0',
  '\x07',
  'é',
  'a',
  '.',
];

export interface RandomFile {
  readonly text: string;
  /** It is as `profile add` writes it. */
  readonly isPlain: boolean;
}

export function randomFile(random: () => number): RandomFile {
  const lines = plainLines(random);
  const isPlain = random() < 0.4;
  // What is odd about a file is best seen where it is the only thing.
  for (let odd = isPlain ? 1 : 0; random() > odd; odd = 0.7) makeOdd(lines, random);
  const text = lines.map((line) => `${line}\n`).join('');
  return { text: isPlain || random() < 0.7 ? text : oddText(text, random), isPlain };
}

function makeOdd(lines: string[], random: () => number): void {
  const at = Math.floor(random() * (lines.length + 1));
  const line = lines[at] ?? '';
  const member = `${of(random, KEYS)} = ${of(random, VALUES)}`;
  const space = () => of(random, ['', '', ' ', ' ', '   ', '\t']);
  const end = of(random, ['', '# x', '#', '#\x07', 'x']);
  const kinds: readonly (() => readonly string[])[] = [
    () => [member, line],
    () => [of(random, LINES), line],
    () => [line.replace(/=.*/, `= ${of(random, VALUES)}`)],
    () => [`${space()}${line.replaceAll(' ', space)}${space()}${end}`],
    () => [line, line],
    () => [],
  ];
  lines.splice(at, 1, ...of(random, kinds)());
}

function oddText(text: string, random: () => number): string {
  const at = Math.floor(random() * (text.length + 1));
  const kinds = [
    () => text.trimEnd(),
    () => `\uFEFF${text}`,
    () => text.replaceAll('\n', '\r\n'),
    () => `${text}\n\n`,
    () => '\0'.repeat(text.length),
    () => text.slice(0, at) + of(random, CHARACTERS) + text.slice(at),
    () => text.slice(0, at) + text.slice(at + 1),
  ];
  return of(random, kinds)();
}

export function of<T>(random: () => number, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}

/** Some have to be longer than what a shell reads by itself. */
function plainLines(random: () => number): string[] {
  const names = shuffled(random, NAMES).slice(0, Math.floor(random() * 9));
  if (random() < 0.1) names.push(...Array.from({ length: 12 }, (_, i) => `more${i}`));
  const lines = random() < 0.6 ? [`default = "${of(random, [...NAMES, 'local'])}"`] : [];
  for (const name of names) {
    const member = (share: number, line: string) => (random() < share ? [line] : []);
    const proof = of(random, ['api_key_file = "/k"', 'password_file = "/a b/p"']);
    lines.push(
      ...(lines.length > 0 ? member(0.8, '') : []),
      name.includes('.') ? `[profile."${name}"]` : `[profile.${name}]`,
      `uri = "${of(random, URIS)}"`,
      ...member(0.5, `username = "${of(random, USERS)}"`),
      ...member(0.5, proof),
      ...member(0.5, 'insecure = true'),
      ...member(0.2, 'plain = true'),
      ...member(0.2, 'no_channel_binding = true'),
      ...member(0.3, `groups = [ ${of(random, ['"a"', '"a", "b"'])} ]`),
      ...member(0.2, `# ${'x'.repeat(random() * 200)}`),
    );
  }
  return lines;
}

function shuffled<T>(random: () => number, list: readonly T[]): T[] {
  return list
    .map((each) => [random(), each] as const)
    .sort(([a], [b]) => a - b)
    .map(([, each]) => each);
}
