/** The `login` that goes on from what is known, for messages. */
import { isKeyItself } from '../../login/secrets.js';
import { ownCommand } from '../../text/for-person.js';
import type { Arguments } from '../args/arguments.js';
import { profileFrom } from './profile-from.js';

const STDIN = '-';

/** The same `login` with what is known by now, to be pasted in any folder. Never a secret. `caFile` takes the place of its own. */
export function loginCommandOf(
  args: Arguments,
  name: string,
  caFile: string | null = null,
): string {
  const { apiKey, plain, noChannelBinding, force, group } = args;
  const isFile = apiKey !== null && !isKeyItself(apiKey);
  const files = profileFrom({ ...args, apiKey: isFile ? apiKey : null }, name);
  const { apiKeyFile } = files;
  const passwordFile = args.passwordFile === STDIN ? STDIN : files.passwordFile;
  const explicit = { profile: null, profileWords: null, useDaemon: false };
  return ownCommand({ ...args, ...explicit, caFile: caFile ?? files.caFile }, [
    ...(apiKeyFile === null ? [] : ['-K', apiKeyFile]),
    ...(passwordFile === null ? [] : ['--password-file', passwordFile]),
    ...(plain ? ['--plain'] : []),
    ...(noChannelBinding ? ['--no-channel-binding'] : []),
    ...(force ? ['--force'] : []),
    'login',
    name,
    ...group.flatMap((each) => ['-g', each]),
  ]);
}
