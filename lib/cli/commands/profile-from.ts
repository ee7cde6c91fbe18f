/** The profile that a command line describes. */
import path from 'node:path';
import type { Profile } from '../../profiles/profile.js';
import type { Arguments } from '../args/arguments.js';

const STDIN = '-';

/** What options say, as a profile; `keyFile` has the key where they name no file with it. */
export function profileFrom(args: Arguments, name: string, keyFile: string | null = null): Profile {
  const { uri, username, insecure, plain, noChannelBinding, group: groups } = args;
  const absolute = (file: string | null) => (file && file !== STDIN ? path.resolve(file) : null);
  return {
    ...{ name, uri: uri ?? '', username, insecure, plain, noChannelBinding, groups },
    apiKeyFile: keyFile ?? absolute(args.apiKey),
    passwordFile: absolute(args.passwordFile),
    caFile: absolute(args.caFile),
  };
}
