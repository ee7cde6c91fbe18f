/** `midclt daemon`: a daemon in the foreground. */
import { callTimeoutOf, compose } from '../compose.js';
import { runDaemonProcess } from '../daemon/run.js';
import type { Arguments } from './arguments.js';
import { sayLine } from './output.js';
import { upstreamOf } from './upstream.js';

/** Returns the exit code when the daemon has ended; throws why it could not start or had to end. */
export async function daemonCommand(args: Arguments): Promise<number> {
  const login = await upstreamOf(args, sayLine);
  const { concurrency } = args;
  const callTimeout = callTimeoutOf(process.env);
  await runDaemonProcess({
    upstream: {
      core: (log) => compose({ ...login, concurrency, callTimeout, log }),
      open: (core) => core.connection.open(),
      close(core) {
        core.connection.close();
      },
    },
    uri: args.uri,
    username: args.username,
    lifetime: args.lifetime,
    logFile: args.logFile,
    logLevel: 'info',
    linger: args.linger,
    stderr: process.stderr,
    signals: process,
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
