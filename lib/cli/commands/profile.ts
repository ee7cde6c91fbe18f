/** `profile …`: the systems that have a name. */
import fs from 'node:fs';
import { followedBy, isMidcltError, MidcltError, shellWord } from '../../errors.js';
import { uriOf } from '../../files/address.js';
import { daemonPaths, profilesPath } from '../../files/paths.js';
import { isKeyItself } from '../../login/secrets.js';
import { parseRawKey } from '../../middleware/login/credential.js';
import { parseTarget } from '../../middleware/uri.js';
import { adding, choosing, editProfiles, removing } from '../../profiles/edit.js';
import { otherWithKey, profileOf, readProfiles, type Profiles } from '../../profiles/file.js';
import { inventory } from '../../profiles/inventory.js';
import { keyFileOf } from '../../profiles/keys.js';
import { checkName, type Profile } from '../../profiles/profile.js';
import { ownCommand } from '../../text/for-person.js';
import type { Arguments } from '../args/arguments.js';
import { withEnvironment } from '../args/environment.js';
import { sayLine } from '../output/output.js';
import { aligned, printLines } from '../output/table.js';
import { profileFrom } from './profile-from.js';
import { connected } from './reach.js';
import { unitsOf } from './service-units.js';

/** Returns the exit code. */
export async function profileCommand(args: Arguments): Promise<number> {
  const file = profilesPath();
  const name = args.profileName ?? '';
  switch (args.name) {
    case 'profile add':
      return add(args, file, name);
    case 'profile show':
      return show(args, readProfiles(file), name);
    case 'profile remove':
      return remove(file, name);
    case 'profile default':
      return chooseDefault(args, file);
    default:
      return list(args, readProfiles(file));
  }
}

async function add(args: Arguments, file: string, name: string): Promise<number> {
  const { uri, apiKey } = args;
  checkName(name);
  for (const group of args.group) checkName(group, 'group');
  if (uri === null)
    throw new MidcltError('REQUEST', 'A profile needs the address of its system: -u URI');
  if (apiKey !== null && isKeyItself(apiKey)) {
    throw new MidcltError(
      'REQUEST',
      `A profile keeps no secret: put the API key into a file that only you can read, and give that with -K; or use 'midclt login ${name}'`,
    );
  }
  const profile = profileFrom({ ...args, uri: uriOf(uri) }, name);
  const { scheme } = parseTarget(profile.uri);
  adding(profile)(readProfiles(file)); // throws if there is one, before a login is tried
  if (args.check) await check({ ...args, uri: profile.uri });
  await editProfiles(file, adding(profile));
  // At the local middleware its owner is logged in by the socket itself.
  const { username, apiKeyFile } = profile;
  const isNobodys = scheme !== 'ws+unix' && username === null && apiKeyFile === null;
  const without = isNobodys
    ? ' without a user: nobody logs in, and most calls need that (-U)'
    : args.password !== null && profile.passwordFile === null
      ? ' without the password, which is asked for (--password-file keeps one)'
      : '';
  sayLine(`Added the profile '${name}'${without}. Try it: midclt -p ${name} ping`);
  return 0;
}

async function check(args: Arguments): Promise<void> {
  try {
    await connected(withEnvironment(args, {}));
  } catch (error) {
    if (!isMidcltError(error)) throw error;
    throw followedBy(error, 'The profile was not added; --no-check adds it untried');
  }
}

function list({ json, ansible }: Arguments, profiles: Profiles): number {
  const all = [...profiles.entries.keys()].map((name) => profileOf(profiles, name));
  if (ansible) printLines(JSON.stringify(inventory(all), null, 2).split('\n'));
  else if (json) printLines(all.map((profile) => JSON.stringify(entryOf(profiles, profile))));
  else if (all.length === 0) sayLine("There are no profiles; 'midclt login NAME' makes one");
  else {
    const rows = all.map((profile) => [
      `${profile.name}${profile.name === profiles.default ? ' *' : ''}`,
      profile.username ?? '-',
      loginOf(profile),
      profile.groups.join(',') || '-',
      profile.uri,
    ]);
    printLines(aligned([['PROFILE', 'USER', 'LOGIN', 'GROUPS', 'URI'], ...rows]));
  }
  return 0;
}

function show({ json }: Arguments, profiles: Profiles, name: string): number {
  const profile = profileOf(profiles, name);
  const entry = entryOf(profiles, profile);
  if (json) {
    printLines([JSON.stringify(entry)]);
    return 0;
  }
  const { apiKeyFile, passwordFile, caFile, insecure, plain, noChannelBinding, groups } = profile;
  printLines(
    aligned([
      ['profile', `${name}${entry.default ? ' (the default)' : ''}`],
      ['URI', profile.uri],
      ...(caFile === null ? [] : [['authorities', caFile]]),
      ...(insecure ? [['', "the server's certificate is NOT verified (insecure)"]] : []),
      ['user', profile.username ?? '-'],
      ...(apiKeyFile === null ? [] : [['API key', apiKeyFile]]),
      ...(passwordFile === null ? [] : [['password', passwordFile]]),
      ...(plain ? [['', 'the key itself is sent (plain)']] : []),
      ...(noChannelBinding ? [['', 'without channel binding']] : []),
      ['groups', groups.join(', ') || '-'],
      ['daemon', entry.socket],
    ]),
  );
  return 0;
}

function entryOf(profiles: Profiles, profile: Profile) {
  const { name, uri, username, groups, insecure, plain } = profile;
  return {
    ...{ profile: name, default: name === profiles.default, uri, username },
    api_key_file: profile.apiKeyFile,
    password_file: profile.passwordFile,
    ca_file: profile.caFile,
    ...{ insecure, plain, no_channel_binding: profile.noChannelBinding, groups },
    socket: daemonPaths(uri, username).socket,
  };
}

function loginOf({ apiKeyFile, passwordFile, username }: Profile): string {
  if (apiKeyFile !== null) return 'API key';
  if (passwordFile !== null) return 'password file';
  return username === null ? 'none' : 'asks';
}

/** The number that the server knows a key by; null: it is not such a file. */
function idOf(keyFile: string): string | null {
  try {
    return parseRawKey(fs.readFileSync(keyFile, 'utf8').trim())?.id ?? null;
  } catch {
    return null;
  }
}

async function remove(file: string, name: string): Promise<number> {
  const profiles = readProfiles(file);
  const { apiKeyFile, ...system } = profileOf(profiles, name);
  const { uri, username, insecure, caFile } = system;
  const units = unitsOf({ profile: name, uri, username }, process.env);
  if ([units.socket, units.service].some(({ path: unit }) => fs.existsSync(unit))) {
    throw new MidcltError(
      'REQUEST',
      `systemd starts the daemon of '${name}': 'midclt -p ${shellWord(name)} service remove' takes that away, and has to come first`,
    );
  }
  await editProfiles(file, removing(name));
  sayLine(`Removed the profile '${name}'`);
  if (apiKeyFile !== keyFileOf(file, name)) return 0; // 'login' has not put it there
  const other = otherWithKey(profiles, name, apiKeyFile);
  if (other !== null) {
    sayLine(`Its API key stays: the profile '${other}' uses it, too`);
    return 0;
  }
  const id = idOf(apiKeyFile);
  fs.rmSync(apiKeyFile, { force: true });
  const words = ['call', 'api_key.delete', id ?? ''];
  const how = id === null ? '' : `: '${ownCommand({ uri, username, insecure, caFile }, words)}'`;
  sayLine(
    `Removed its API key ${apiKeyFile}; the server still takes the key until it is deleted there${how}`,
  );
  return 0;
}

async function chooseDefault({ none, profileName }: Arguments, file: string): Promise<number> {
  const profiles = readProfiles(file);
  if (none || profileName !== null) {
    if (profileName !== null) profileOf(profiles, profileName);
    await editProfiles(file, choosing(none ? null : profileName));
    return 0;
  }
  if (profiles.default === null) {
    sayLine("There is no default profile; 'midclt profile default NAME' makes one so");
    return 1;
  }
  printLines([profiles.default]);
  return 0;
}
