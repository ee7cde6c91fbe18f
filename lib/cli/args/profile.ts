/** Which profiles a command line stands for, and what it is with each of them. A bundle of its own: see `lib/cli/main.ts`. */
import { profilesPath } from '../../files/paths.js';
import { USE_DAEMON } from '../../login/variables.js';
import { groupsOf, profileOf, readProfiles, type Profiles } from '../../profiles/file.js';
import { isSeveral, LOCAL, namesIn } from '../../profiles/profile.js';
import type { Arguments } from './arguments.js';
import { isOff, withEnvironment, type System } from './environment.js';

/** No profile, whatever the default one is. */
const LOCAL_SYSTEM: System = {
  ...{ name: LOCAL, uri: null, username: null, apiKeyFile: null, passwordFile: null },
  ...{ caFile: null, insecure: false, plain: false, noChannelBinding: false },
};

/**
 * The arguments with what the profile says; a list of them, if the choice is one that can name several, each of which is
 * asked through a daemon unless the environment says no. The empty choice is the default profile. Throws a `REQUEST` or `FILES` error.
 */
export function withProfiles(
  args: Arguments,
  choice: string,
  env: NodeJS.ProcessEnv,
): Arguments | readonly Arguments[] {
  if (choice === LOCAL) return withEnvironment(args, env, LOCAL_SYSTEM); // whatever the file is
  const profiles = readProfiles(profilesPath(env));
  const one = (name: string) => withEnvironment(args, env, systemOf(profiles, name));
  if (isSeveral(choice)) {
    const useDaemon = !isOff(env[USE_DAEMON] ?? null);
    const names = namesIn(choice, groupsOf(profiles));
    return names.map((name) => ({ ...one(name), system: name, useDaemon }));
  }
  const name = choice === '' ? profiles.default : choice;
  return name === null || name === '' ? withEnvironment(args, env) : one(name);
}

function systemOf(profiles: Profiles, name: string): System {
  return name === LOCAL ? LOCAL_SYSTEM : profileOf(profiles, name);
}
