/** `login NAME`: asks on the terminal for a system and for what logs in there, tries it, and keeps it as a profile. */
import fs from 'node:fs';
import type { Core } from '../../compose.js';
import { followedBy, isMidcltError, MidcltError } from '../../errors.js';
import { uriOf } from '../../files/address.js';
import { pinsPath, profilesPath } from '../../files/paths.js';
import { addPin, removePin } from '../../files/pins.js';
import { isTerminalThere, Unanswered } from '../../login/prompt.js';
import { ask, askSecret, confirm } from '../../login/questions.js';
import { isKeyItself, readKey } from '../../login/secrets.js';
import { checkTransport, LoginError, parseRawKey } from '../../middleware/login/credential.js';
import { WRONG_PASSWORD } from '../../middleware/login/login.js';
import { hostWord } from '../../middleware/unreachable.js';
import { isLoopback, parseTarget } from '../../middleware/uri.js';
import { adding, choosing, editProfiles, type Edit } from '../../profiles/edit.js';
import { parseProfiles, readProfiles } from '../../profiles/file.js';
import { checkNoKeyFile, keyFileOf, writeKeyFile } from '../../profiles/keys.js';
import { checkName } from '../../profiles/profile.js';
import { hostOf } from '../../text/for-person.js';
import type { Arguments } from '../args/arguments.js';
import { sayLine } from '../output/output.js';
import { KeyMaker, NO_KEY } from './key-maker.js';
import { loginCommandOf } from './login-command.js';
import { profileFrom } from './profile-from.js';
import { connected, reach, type Reached } from './reach.js';

const USER = 'truenas_admin';
const STDIN = '-';

/** Returns the exit code. */
export async function loginCommand(args: Arguments): Promise<number> {
  const name = args.profileName ?? '';
  const file = profilesPath();
  checkName(name);
  for (const group of args.group) checkName(group, 'group');
  adding(profileFrom(args, name))(readProfiles(file)); // throws if there is one
  const keepsKey = args.passwordFile === null && (args.apiKey === null || isKeyItself(args.apiKey));
  if (keepsKey) checkNoKeyFile(keyFileOf(file, name));
  if (!isTerminalThere()) {
    throw new MidcltError(
      'REQUEST',
      `There is no terminal to ask on; for scripts there is 'midclt profile add ${name} -u URI -U USER -K FILE'`,
    );
  }
  let known = args;
  try {
    known = await withWho(args);
    const reached = await reach(known, name);
    await prove(reached, (given, key) => keep(file, name, given, key));
    return 0;
  } catch (error) {
    if (!isMidcltError(error)) throw error;
    if (error instanceof Unanswered) {
      const again = loginCommandOf(known, name);
      throw followedBy(error, `No profile was made, and nothing was kept; '${again}' asks again`);
    }
    if (!['CONNECT', 'LOGIN', 'LOST', 'TIMEOUT'].includes(error.code)) throw error;
    throw followedBy(error, 'No profile was made');
  }
}

/** Asks for host and user where no option names them. */
async function withWho(args: Arguments): Promise<Arguments> {
  // A key file may say whose it is; a wrong one is told before anything is asked.
  const owner = args.apiKey === null ? null : readKey(args.apiKey, () => undefined).username;
  const uri = args.uri ? readUri(args.uri) : await ask('Host: ', readUri);
  const isLocal = parseTarget(uri).scheme === 'ws+unix';
  if (args.username || owner !== null || isLocal) {
    return { ...args, uri, username: args.username || null };
  }
  const username = await ask(`User [${USER}]: `, (typed) => typed || USER);
  return { ...args, uri, username };
}

function readUri(typed: string): string {
  if (typed === '') {
    throw new MidcltError('REQUEST', 'Type the name or the address of the system');
  }
  const uri = uriOf(typed);
  parseTarget(uri);
  return uri;
}

/** Keeps what has logged in: a key is what was typed, or what makes one. */
type Keep = (args: Arguments, key: string | KeyMaker | null) => Promise<void>;

/** Logs in with what the options name, or with what is asked for, and has that kept. */
async function prove(reached: Reached, keep: Keep): Promise<void> {
  const { target, args } = reached;
  const { username, password, passwordFile } = args;
  if (target.scheme === 'ws+unix' && username === null) return keep(args, null);
  if (args.apiKey !== null) return proveKey(reached, args.apiKey, keep);
  const isFile = passwordFile !== null && passwordFile !== STDIN;
  const isKeyOfUse = !isFile && takesKeys(reached);
  if (isKeyOfUse && password === null && passwordFile === null) {
    const key = await askSecret('API key (Enter to use a password): ', readTypedKey);
    if (key !== null) return proveKey(reached, key, keep);
  }
  const host = hostOf(target.uri);
  if (target.scheme === 'ws' && !isLoopback(target))
    sayLine(`The connection to ${host} is not encrypted: others may read the password`);
  await connectedByTyping(args, async (core) => {
    const isWanted = isKeyOfUse && (await confirm(MAKE_KEY, true));
    const given = isWanted ? await withPlain(reached) : null;
    if (given) {
      const logIn = (apiKey: string) => connected({ ...given, apiKey });
      return keep(given, new KeyMaker(core.connection, { ...given, username, host }, logIn));
    }
    if (!isFile) sayLine(NO_KEY);
    return keep(args, null);
  });
}

/** How often a password may be typed. */
const PASSWORDS = 3;

/** Connects and logs in. A password that is asked for, and is wrong, is asked for again: all else was answered already. */
async function connectedByTyping(
  args: Arguments,
  work: (core: Core) => Promise<void>,
): Promise<void> {
  const isTyped = args.password === null && args.passwordFile === null;
  const state = { isIn: false };
  const begin = (core: Core) => {
    state.isIn = true;
    return work(core);
  };
  for (let left = isTyped ? PASSWORDS : 1; ; left--) {
    try {
      await connected(args, begin);
      return;
    } catch (error) {
      const isWrong = error instanceof LoginError && error.message.includes(WRONG_PASSWORD);
      if (state.isIn || !isWrong || left === 1) throw error;
      sayLine(`${WRONG_PASSWORD}, try again`);
    }
  }
}

const MAKE_KEY =
  'Make an API key for this machine and keep it, so that no password is needed from now on?';

async function proveKey(reached: Reached, apiKey: string, keep: Keep): Promise<void> {
  const given = await withPlain(reached);
  if (!given) throw new MidcltError('LOGIN', 'The API key was not sent');
  await connected({ ...given, apiKey });
  return isKeyItself(apiKey) ? keep({ ...given, apiKey: null }, apiKey) : keep(given, null);
}

/** Null: a password is to be used. */
function readTypedKey(typed: string): string | null {
  if (typed === '' || parseRawKey(typed)) return typed || null;
  throw new MidcltError('REQUEST', 'That is no API key: a number, a hyphen, letters and digits');
}

/** Can a key log in there without being given away? */
function takesKeys({ target, args, needsPlain }: Reached): boolean {
  if (target.scheme === 'ws+unix') return false;
  const { plain, noChannelBinding, force } = args;
  const key = { kind: 'raw', id: '', secret: '' } as const;
  const mechanism = plain || needsPlain ? 'PLAIN' : 'SCRAM';
  const how = { mechanism, channelBinding: !noChannelBinding, force } as const;
  try {
    checkTransport({ kind: 'api-key', username: '', key, ...how }, target);
    return true;
  } catch {
    return false;
  }
}

/** The arguments with which a key logs in; null if it is not to be sent where it has to be. */
async function withPlain({ target, args, needsPlain }: Reached): Promise<Arguments | null> {
  if (!needsPlain) return args;
  const host = hostOf(target.uri);
  const question = `${host} knows no login that keeps an API key secret (TrueNAS has that since 26). Send it the key itself, now and from now on?`;
  return (await confirm(question, target.verify)) ? { ...args, plain: true } : null;
}

/** Asks all that is left to ask before it makes anything. */
async function keep(
  file: string,
  name: string,
  args: Arguments,
  key: string | KeyMaker | null,
): Promise<void> {
  const hasDefault = readProfiles(file).default !== null;
  const isDefault = !hasDefault && (await confirm('Make this system the default?', true));
  const store = (text: string | null) => storeProfile(file, name, args, text, isDefault);
  if (key instanceof KeyMaker) await key.make(store);
  else await store(key);
  const what = isDefault ? ', which is the default now' : '';
  sayLine(`Added the profile '${name}'${what}. Try it: midclt -p ${name} ping`);
}

/** All files, or none. */
async function storeProfile(
  file: string,
  name: string,
  args: Arguments,
  key: string | null,
  isDefault: boolean,
): Promise<void> {
  const keyFile = key === null ? null : keyFileOf(file, name);
  const add = adding(profileFrom(args, name, keyFile));
  const state = { isWritten: false };
  const edit: Edit = (profiles) => {
    const added = add(profiles); // throws if there is one by now, whose key it would be
    if (key !== null && keyFile !== null) {
      writeKeyFile(keyFile, key);
      state.isWritten = true;
    }
    return isDefault ? choosing(name)(parseProfiles(file, added.text)) : added;
  };
  const { fingerprint } = args;
  const host = fingerprint === null ? '' : hostWord(parseTarget(args.uri ?? ''));
  try {
    if (fingerprint !== null) await addPin(pinsPath(), { host, fingerprint });
    await editProfiles(file, edit);
  } catch (error) {
    if (fingerprint !== null) await removePin(pinsPath(), host);
    if (state.isWritten && keyFile !== null) fs.rmSync(keyFile, { force: true });
    throw error;
  }
}
