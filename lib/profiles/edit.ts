/**
 * Changes the file of the profiles as a person would, and leaves what else is written in it as it is, comments too:
 * TOML's libraries would write it anew without them. What came of a change is read again before it is kept.
 */
import { isDeepStrictEqual } from 'node:util';
import { stringify } from 'smol-toml';
import { MidcltError } from '../errors.js';
import { editKept } from '../files/kept.js';
import { parseProfiles, readProfiles, type Profiles } from './file.js';
import type { Profile } from './profile.js';

/** What the file is to say; the same but for one thing. */
export type Edit = (profiles: Profiles) => { readonly text: string; readonly expected: Expected };
type Expected = Pick<Profiles, 'default' | 'entries'>;

/**
 * Reads the file, changes it, and puts it in its place whole; one edit at a time. Throws what the edit throws, a `FILES`
 * error, or a `REQUEST` error where the file can't be changed so.
 */
export async function editProfiles(file: string, edit: Edit): Promise<void> {
  await editKept(file, 'profiles', () => {
    const { text, expected } = edit(readProfiles(file));
    const after = parseProfiles(file, text);
    if (isDeepStrictEqual(said(after), said(expected))) return text;
    throw new MidcltError(
      'REQUEST',
      `${file} is written in a way that can't be changed here; edit it yourself`,
    );
  });
}

/** For a comparison: what is parsed has no prototypes, and names that are numbers come first there. */
function said({ default: chosen, entries }: Expected): unknown {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.parse(JSON.stringify([chosen, ...sorted]));
}

/** Adds it at the end. */
export function adding({ name, ...rest }: Profile): Edit {
  const members = membersOf(rest);
  return ({ text, default: chosen, entries, path: file }) => {
    if (entries.has(name)) {
      const again = `'midclt profile remove ${name}' removes it`;
      throw new MidcltError('REQUEST', `There is a profile '${name}' in ${file} already; ${again}`);
    }
    const table = `[profile.${keyOf(name)}]\n${stringify(members).trimEnd()}\n`;
    const before = text.trimEnd();
    return {
      text: before === '' ? table : `${before}\n\n${table}`,
      expected: { default: chosen, entries: new Map([...entries, [name, members]]) },
    };
  };
}

/** Takes out the table with what belongs to it, and the default if it is that one. */
export function removing(name: string): Edit {
  return (profiles) => {
    const { entries, default: chosen } = profiles;
    const isDefault = chosen === name;
    const { text } = isDefault ? choosing(null)(profiles) : profiles;
    const lines = text.split('\n');
    const start = lines.findIndex((line) => nameIn(line) === name);
    const after = lines.findIndex((line, i) => i > start && isHeader(line));
    let end = after === -1 ? lines.length : after;
    // The comment above the next table is that one's.
    if (after !== -1) while (/^(?:#|$)/.test(lines[end - 1]?.trim() ?? 'x')) end--;
    const kept = start === -1 ? lines : [...lines.slice(0, start), ...lines.slice(end)];
    return {
      text: `${kept
        .join('\n')
        .replace(/^\n+|\s+$/g, '')
        .replace(/\n{3,}/g, '\n\n')}\n`,
      expected: {
        default: isDefault ? null : chosen,
        entries: new Map([...entries].filter(([each]) => each !== name)),
      },
    };
  };
}

/** Makes it the default; null: there is to be none. */
export function choosing(name: string | null): Edit {
  return ({ text, entries }) => {
    const lines = text.split('\n');
    const first = lines.findIndex(isHeader);
    const top = first === -1 ? lines.length : first;
    const at = lines.findIndex((line, i) => i < top && /^\s*(?:default|"default")\s*=/.test(line));
    const [, comment = ''] = /=\s*(?:"[^"\\]*"|'[^']*')(\s*#.*)/.exec(lines[at] ?? '') ?? [];
    const line = name === null ? [] : [`default = ${JSON.stringify(name)}${comment}`];
    const kept =
      at === -1
        ? [...line, ...(name !== null && text !== '' && lines[0] !== '' ? [''] : []), ...lines]
        : [...lines.slice(0, at), ...line, ...lines.slice(at + 1)];
    return {
      text: `${kept.join('\n').trim()}\n`,
      expected: { default: name, entries },
    };
  };
}

function membersOf(profile: Omit<Profile, 'name'>): Record<string, string | boolean | string[]> {
  const { uri, username, apiKeyFile, passwordFile, caFile } = profile;
  const { insecure, plain, noChannelBinding } = profile;
  return {
    uri,
    ...(username !== null && { username }),
    ...(apiKeyFile !== null && { api_key_file: apiKeyFile }),
    ...(passwordFile !== null && { password_file: passwordFile }),
    ...(caFile !== null && { ca_file: caFile }),
    ...(insecure && { insecure }),
    ...(plain && { plain }),
    ...(noChannelBinding && { no_channel_binding: noChannelBinding }),
    ...(profile.groups.length > 0 && { groups: [...profile.groups] }),
  };
}

/** As TOML writes it: bare, or in quotes where it has a dot. */
function keyOf(name: string): string {
  return name.includes('.') ? `"${name}"` : name;
}

function isHeader(line: string): boolean {
  return /^\s*\[/.test(line);
}

/** The name of the profile whose table begins with this line. */
function nameIn(line: string): string | null {
  const [, bare, quoted] =
    /^\s*\[\s*profile\s*\.\s*(?:([A-Za-z0-9_-]+)|["']([^"'\\]+)["'])\s*\]\s*(?:#.*)?$/.exec(
      line.trimEnd(),
    ) ?? [];
  return bare ?? quoted ?? null;
}
