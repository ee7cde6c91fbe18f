/** Commands that a user is told to type. They carry the user's own options, so that they can be pasted. */
import { shellWord } from '../files/shell-word.js';

/** What a command needs to reach the same middleware in the same way. */
export interface OwnOptions {
  readonly uri: string | null;
  readonly username: string | null;
  readonly insecure?: boolean;
  readonly useDaemon?: boolean;
}

/** `midclt`, the user's own options, and `rest`. Never a secret. */
export function ownCommand(
  { uri, username, insecure = false, useDaemon = false }: OwnOptions,
  rest: readonly string[],
): string {
  const words = [
    'midclt',
    ...(uri ? ['-u', uri] : []),
    ...(username ? ['-U', username] : []),
    ...(insecure ? ['--insecure'] : []),
    ...(useDaemon ? ['-d'] : []),
    ...rest,
  ];
  return words.map(shellWord).join(' ');
}

/** What starts the daemon of these options. For the local one it is what the original says, to the letter. */
export function startCommand(options: OwnOptions): string {
  const { uri, username } = options;
  if (!uri && !username) return 'midclt daemon';
  return ownCommand({ ...options, useDaemon: false }, ['daemon', '--detach']);
}
