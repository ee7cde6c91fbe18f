/** `midclt daemon`: a daemon in the foreground. */
import { callTimeoutOf } from '../compose.js';
import { runDaemonProcess } from '../daemon/run.js';
import { MidcltError } from '../errors.js';
import type { Credential } from '../middleware/login.js';
import { DEFAULT_URI, parseTarget } from '../uri.js';
import type { Arguments } from './argv.js';

/** Returns the exit code when the daemon has ended; throws why it could not start or had to end. */
export async function daemonCommand(args: Arguments): Promise<number> {
  const target = parseTarget(args.uri ?? DEFAULT_URI);
  if (target.scheme === 'wss') throw unsupported('wss:// URIs are');
  if (target.wire === 'legacy') throw unsupported('The legacy /websocket wire is');
  if (args.apiKey !== null) throw unsupported('API keys (-K) are');
  await runDaemonProcess({
    uri: args.uri,
    username: args.username,
    credential: credentialOf(args),
    lifetime: args.lifetime,
    logFile: args.logFile,
    logLevel: 'info',
    concurrency: args.concurrency,
    linger: args.linger,
    callTimeout: callTimeoutOf(process.env),
    stderr: process.stderr,
    onReady(logFile) {
      process.stdout.on('error', () => undefined); // nobody has to read this
      process.stdout.write(
        logFile === null
          ? 'Accepting connections. Logging to stderr.\n'
          : `Accepting connections. Log file: ${logFile}\n`,
      );
    },
  });
  return 0;
}

function credentialOf({ username, password }: Arguments): Credential | null {
  if (username === null || username === '') return null;
  if (password === null || password === '') throw unsupported('The password prompt is');
  return { kind: 'password', username, password };
}

function unsupported(what: string): MidcltError {
  return new MidcltError('UNSUPPORTED', `${what} not supported yet`);
}
