/** `midclt daemon`: a daemon in the foreground. */
import { callTimeoutOf } from '../compose.js';
import { runDaemonProcess } from '../daemon/run.js';
import type { Arguments } from './argv.js';
import { upstreamOf } from './upstream.js';

/** Returns the exit code when the daemon has ended; throws why it could not start or had to end. */
export async function daemonCommand(args: Arguments): Promise<number> {
  const { target, credential } = upstreamOf(args);
  await runDaemonProcess({
    target,
    uri: args.uri,
    username: args.username,
    credential,
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
