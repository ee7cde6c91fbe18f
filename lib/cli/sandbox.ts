import * as os from 'node:os';
import * as path from 'node:path';
import type { Writable } from 'node:stream';
import { startSandbox, type Sandbox } from '../sandbox/index.js';

/** Where to listen: a Unix socket's path, a TCP port for `ws:` (0: any free one), or both. Neither means a default path. */
export interface SandboxArguments {
  readonly unix: string | null;
  readonly ws: number | null;
}

/** What the command works with; tests bring their own. `stop` ends it as a signal does. */
export interface SandboxIo {
  readonly stdout: Pick<Writable, 'write'>;
  readonly stderr: Pick<Writable, 'write'>;
  readonly stop?: AbortSignal;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'already in use',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'no such directory',
  ENOTDIR: 'not in a directory',
  EADDRNOTAVAIL: 'not an address of this machine',
};

/** Runs a sandbox until SIGINT or SIGTERM. The exit code: 0, or 1 when it could not listen. */
export async function runSandbox(
  args: SandboxArguments,
  io: SandboxIo = { stdout: process.stdout, stderr: process.stderr },
): Promise<number> {
  const unix = args.unix ?? (args.ws === null ? defaultPath() : undefined);
  const ended = endOf(io.stop); // before listening: a signal meanwhile still removes the socket file
  try {
    let sandbox: Sandbox;
    try {
      sandbox = await startSandbox({
        unix: unix === undefined ? undefined : path.resolve(unix),
        ws: args.ws ?? undefined,
      });
    } catch (error) {
      io.stderr.write(`midclt sandbox: ${complaint(error, unix, args.ws)}\n`);
      return 1;
    }
    try {
      io.stdout.write(announcement(sandbox));
      await ended.promise;
    } finally {
      await sandbox.close();
    }
    return 0;
  } finally {
    ended.release();
  }
}

/** The first line says that it listens; a script may wait for it. */
function announcement({ unixPath, wsPort }: Sandbox): string {
  const uris = [
    ...(unixPath === null ? [] : [`ws+unix://${unixPath}`]),
    ...(wsPort === null ? [] : [`ws://127.0.0.1:${wsPort}/api/current`]),
  ];
  const lines = uris.map(
    (uri) => `Sandbox (a simulation, not a TrueNAS) listening. Use: ${usage(uri)}`,
  );
  if (wsPort !== null)
    lines.push(
      'Users: admin (password admin-pw), reader (reader-pw, sees only its own jobs), ' +
        'otp (otp-pw, then 123456), noapi (noapi-pw, denied), expired (expired-pw, expired)',
    );
  return lines.map((line) => `${line}\n`).join('');
}

function usage(uri: string): string {
  const login = uri.startsWith('ws:') ? ' -U admin -P admin-pw' : '';
  return `midclt -u ${uri}${login} -d call system.info`;
}

/** One a user, so that two users of a machine don't meet. */
function defaultPath(): string {
  return path.join(os.tmpdir(), `midclt-sandbox-${process.getuid?.() ?? 0}.sock`);
}

function complaint(error: unknown, unix: string | undefined, ws: number | null): string {
  const { code = '', message, port = -1 } = error as NodeJS.ErrnoException & { port?: number };
  const place = port < 0 ? (unix ?? `port ${ws ?? 0}`) : `port ${port}`;
  return `can't listen on ${place}: ${REASONS[code] ?? message}`;
}

/** Resolves on a signal or when `stop` is aborted. */
function endOf(stop: AbortSignal | undefined): {
  readonly promise: Promise<void>;
  readonly release: () => void;
} {
  let end = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    end = resolve;
  });
  for (const signal of SIGNALS) process.on(signal, end);
  stop?.addEventListener('abort', end, { once: true });
  if (stop?.aborted === true) end();
  return {
    promise,
    release: () => {
      for (const signal of SIGNALS) process.removeListener(signal, end);
      stop?.removeEventListener('abort', end);
    },
  };
}
