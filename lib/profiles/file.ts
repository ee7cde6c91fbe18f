/**
 * The file of the profiles, TOML that people edit:
 *
 *     default = "nas1"
 *
 *     [profile.nas1]
 *     uri = "wss://nas1.example/api/current"
 *     username = "admin"
 *     api_key_file = "keys/nas1"
 *
 * Who reads it uses what it says to log in: so it must be one's own (or root's), and nobody else may write to it.
 */
import path from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { MidcltError, shellWord } from '../errors.js';
import { addressOf } from '../files/address.js';
import { readKept } from '../files/kept.js';
import { homeDirectory } from '../files/paths.js';
import { stripControls } from '../text/terminal.js';
import { checkName, LOCAL, type Profile } from './profile.js';

/** What stands in the file, unchecked but for its outer form. */
export interface Profiles {
  readonly path: string;
  readonly text: string;
  readonly default: string | null;
  readonly entries: ReadonlyMap<string, Entry>;
}

/** The members of one profile as TOML has them. */
type Entry = Readonly<Record<string, unknown>>;

/** Without a file: no profiles. Throws a `FILES` error for one that can't be read or trusted, `REQUEST` for what is no such TOML. */
export function readProfiles(file: string): Profiles {
  const text = readKept(file, 'profiles');
  return text === null
    ? { path: file, text: '', default: null, entries: new Map() }
    : parseProfiles(file, text);
}

/** Throws a `REQUEST` error. */
export function parseProfiles(file: string, contents: string): Profiles {
  const text = contents.replace(/^\uFEFF/, '');
  let value: Readonly<Record<string, unknown>>;
  try {
    value = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [message = ''] = error.message.split('\n');
    const why = message.replace(/^Invalid TOML document: /, '');
    throw new MidcltError(
      'REQUEST',
      `The profiles in ${file} are no valid TOML: line ${error.line}: ${why}`,
    );
  }
  const { default: chosen = null, profile = {}, ...others } = value;
  const [other] = Object.keys(others);
  if (other !== undefined) {
    throw defect(file, `has '${other}' at its top, where 'default' and [profile.NAME] can stand`);
  }
  if (chosen !== null && typeof chosen !== 'string')
    throw defect(file, 'has a default that is no text');
  if (!isTable(profile)) throw defect(file, 'has a profile without a name; write [profile.NAME]');
  const entries = new Map<string, Entry>();
  for (const [name, entry] of Object.entries(profile)) {
    checkName(name);
    if (!isTable(entry))
      throw defect(file, `has a profile '${name}' that is no table; write [profile.${name}]`);
    entries.set(name, entry);
  }
  return { path: file, text, default: chosen, entries };
}

/** What a profile's member is to be. */
type Kind = 'text' | 'path' | 'flag' | 'texts';

const MEMBERS: Readonly<Record<string, Kind>> = {
  uri: 'text',
  username: 'text',
  api_key_file: 'path',
  password_file: 'path',
  ca_file: 'path',
  insecure: 'flag',
  plain: 'flag',
  no_channel_binding: 'flag',
  groups: 'texts',
};

const CHECKS: Readonly<Record<Kind, readonly [string, (value: unknown) => boolean]>> = {
  text: ['a text', isText],
  path: ['the path of a file', isText],
  flag: ['true or false', (value) => typeof value === 'boolean'],
  texts: ['a list of texts', (value) => Array.isArray(value) && value.every(isText)],
};

/** Throws a `REQUEST` error if there is none of this name, or it is not as it should be. */
export function profileOf({ path: file, entries }: Profiles, name: string): Profile {
  const entry = entries.get(name);
  if (!entry) throw unknown(name, [...entries.keys()]);
  const where = (what: string) => defect(file, `has ${what} in [profile.${name}]`);
  for (const [key, value] of Object.entries(entry)) {
    const kind = MEMBERS[key];
    if (kind === undefined || !Object.hasOwn(MEMBERS, key)) {
      throw where(`an unknown '${key}' (${Object.keys(MEMBERS).join(', ')} are known)`);
    }
    const [what, check] = CHECKS[kind];
    if (!check(value)) throw where(`a '${key}' that is not ${what}`);
  }
  const text = (key: string) => (entry[key] ?? null) as string | null;
  const uri = text('uri');
  if (uri === null) throw where("no 'uri'");
  const [apiKeyFile, passwordFile] = [text('api_key_file'), text('password_file')];
  if (apiKeyFile !== null && passwordFile !== null) {
    throw where("an 'api_key_file' and a 'password_file', of which one can be");
  }
  const absolute = (value: string | null) => value && absolutePath(file, value);
  return {
    ...{ name, uri: addressOf(uri), username: text('username') },
    ...{ apiKeyFile: absolute(apiKeyFile), passwordFile: absolute(passwordFile) },
    caFile: absolute(text('ca_file')),
    insecure: entry.insecure === true,
    plain: entry.plain === true,
    noChannelBinding: entry.no_channel_binding === true,
    groups: (entry.groups ?? []) as readonly string[],
  };
}

/** Another profile whose key is in this file, also if the rest of it is not as it should be; null: none. */
export function otherWithKey(
  { path: file, entries }: Profiles,
  name: string,
  keyFile: string,
): string | null {
  for (const [each, { api_key_file: value }] of entries) {
    if (each === name || typeof value !== 'string') continue;
    if (absolutePath(file, value) === keyFile) return each;
  }
  return null;
}

/** Tells which profiles are of a URI and user. Never throws: who only wants to show names does without those that can't be read. */
export function profileNames(
  file: () => string,
): (uri: string | null, username: string | null) => string[] {
  const known: Profile[] = [];
  try {
    const profiles = readProfiles(file());
    for (const name of profiles.entries.keys()) known.push(profileOf(profiles, name));
  } catch {
    // the commands that need them say why
  }
  return (uri, username) =>
    known
      .filter((each) => each.uri === uri && each.username === (username ?? null))
      .map(({ name }) => name);
}

/** Of every profile its groups, for {@link namesIn}. Throws as {@link profileOf}. */
export function groupsOf(profiles: Profiles): Map<string, readonly string[]> {
  return new Map(
    [...profiles.entries.keys()].map((name) => [name, profileOf(profiles, name).groups]),
  );
}

function unknown(name: string, known: readonly string[]): MidcltError {
  if (known.length === 0) {
    return new MidcltError(
      'REQUEST',
      `There is no profile '${name}', nor any other; 'midclt login ${shellWord(name)}' makes it`,
    );
  }
  const more = known.length > 10 ? `, and ${known.length - 10} more` : '';
  const list = known.slice(0, 10).join(', ') + more;
  return new MidcltError(
    'REQUEST',
    `There is no profile '${name}'; there are ${list}, and ${LOCAL}`,
  );
}

/** `~` is one's home; a relative path starts where the file is. */
function absolutePath(file: string, value: string): string {
  const home = value === '~' || value.startsWith('~/');
  return home
    ? path.join(homeDirectory(process.env), value.slice(1))
    : path.resolve(path.dirname(file), value);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && stripControls(value, '') === value;
}

function isTable(value: unknown): value is Entry {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
  );
}

function defect(file: string, what: string): MidcltError {
  return new MidcltError('REQUEST', `The file of profiles ${file} ${what}`);
}
