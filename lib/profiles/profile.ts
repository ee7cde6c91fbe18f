/**
 * Profiles: how to reach a system and log in to it, under a name. A secret is never in one, only the path of a file
 * that holds it.
 */
import { MidcltError } from '../errors.js';

export interface Profile {
  readonly name: string;
  readonly uri: string;
  readonly username: string | null;
  /** Absolute. At most one of the two is given. */
  readonly apiKeyFile: string | null;
  readonly passwordFile: string | null;
  /** Absolute: authorities that are trusted, too. */
  readonly caFile: string | null;
  readonly insecure: boolean;
  readonly plain: boolean;
  readonly noChannelBinding: boolean;
  readonly groups: readonly string[];
}

/** This name means no profile: the middleware of this machine. */
export const LOCAL = 'local';
/** This one all profiles. */
export const ALL = 'all';
/** Begins the name of a group. */
const GROUP = '@';

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

/** Throws a `REQUEST` error for what can't be the name of a profile, or of a group. */
export function checkName(name: string, what: 'profile' | 'group' = 'profile'): void {
  const isTaken = what === 'profile' && (name === LOCAL || name === ALL);
  if (NAME.test(name) && !isTaken) return;
  const why = isTaken
    ? `'${name}' has a meaning of its own`
    : `a name has letters, digits, '_', '-' and '.', at most 64 of them, and does not begin with '-' or '.'`;
  throw new MidcltError('REQUEST', `'${name}' can't be the name of a ${what}: ${why}`);
}

/** Does `-p`'s value name several profiles, be it that there is one of them? */
export function isSeveral(text: string): boolean {
  return text.includes(',') || text === ALL || text.startsWith(GROUP);
}

/**
 * The names that `-p`'s value stands for, in its order, each once: names with commas between them, `all`, `@GROUP`. Throws a
 * `REQUEST` error where one stands for none.
 */
export function namesIn(text: string, groups: ReadonlyMap<string, readonly string[]>): string[] {
  const found = text.split(',').flatMap((word) => {
    const name = word.trim();
    if (name === ALL) return [...groups.keys()];
    if (!name.startsWith(GROUP)) return name === '' ? [] : [name];
    const group = name.slice(GROUP.length);
    const members = [...groups].filter(([, of]) => of.includes(group)).map(([each]) => each);
    if (members.length > 0) return members;
    throw new MidcltError('REQUEST', `No profile is in the group '${group}'`);
  });
  if (found.length > 0) return [...new Set(found)];
  throw new MidcltError(
    'REQUEST',
    text === ALL ? `There are no profiles; 'midclt login NAME' makes one` : `'${text}' names none`,
  );
}
