import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Writable } from 'node:stream';
import { shellWord } from '../../errors.js';
import { openToWrite } from '../../files/kept.js';
import { API_KEYS, startSandbox, type ApiKey, type Sandbox } from '../../sandbox/index.js';

/** Where to listen: a Unix socket's path, TCP ports for `ws:` and `wss:` (0: any free one). Nowhere means a default path. */
export interface SandboxArguments {
  readonly unix: string | null;
  readonly ws: number | null;
  readonly wss: number | null;
  /** The file that gets the certificate of `wss:`. */
  readonly certificate: string | null;
}

/** What the command works with; tests bring their own. `stop` ends it as a signal does. */
export interface SandboxIo {
  readonly stdout: Pick<Writable, 'write'>;
  readonly stderr: Pick<Writable, 'write'>;
  readonly stop?: AbortSignal;
}

const LOGIN = '-U admin -P admin-pw';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'already in use',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ENOENT: 'no such directory',
  ENOTDIR: 'not in a directory',
  EISDIR: 'is a directory',
  EADDRNOTAVAIL: 'not an address of this machine',
};

/**
 * Runs a sandbox until SIGINT or SIGTERM. The exit code: 0, 1 when it could not listen or write
 * the certificate, 2 when there is no certificate to write.
 */
export async function runSandbox(
  args: SandboxArguments,
  io: SandboxIo = { stdout: process.stdout, stderr: process.stderr },
): Promise<number> {
  const say = (complaint: string): void => void io.stderr.write(`midclt sandbox: ${complaint}\n`);
  if (args.certificate !== null && args.wss === null) {
    say('error: argument --certificate: only with --wss');
    return 2;
  }
  const isTcp = args.ws !== null || args.wss !== null;
  const unix = args.unix ?? (isTcp ? undefined : defaultPath());
  const file = args.certificate === null ? null : path.resolve(args.certificate);
  const ended = endOf(io.stop); // before listening: a signal meanwhile still removes the socket file
  try {
    let sandbox: Sandbox;
    try {
      sandbox = await startSandbox({
        unix: unix === undefined ? undefined : path.resolve(unix),
        ws: args.ws ?? undefined,
        wss: args.wss ?? undefined,
      });
    } catch (error) {
      const port = args.ws ?? args.wss ?? 0;
      say(`can't listen on ${placeOf(error) ?? unix ?? `port ${port}`}: ${reasonOf(error)}`);
      return 1;
    }
    try {
      try {
        if (file !== null) writeCertificate(file, sandbox.certificate ?? '');
      } catch (error) {
        say(`can't write ${file}: ${reasonOf(error)}`);
        return 1;
      }
      io.stdout.write(announcement(sandbox, file));
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
function announcement({ unixPath, wsPort, wssPort }: Sandbox, certificate: string | null): string {
  const commands: string[] = [];
  if (unixPath !== null) commands.push(usage(`-u ${shellWord(`ws+unix://${unixPath}`)}`));
  if (wsPort !== null) commands.push(usage(`-u ws://127.0.0.1:${wsPort}/api/current ${LOGIN}`));
  if (wssPort !== null) {
    const trust = certificate === null ? '--insecure' : `--ca-file ${shellWord(certificate)}`;
    commands.push(usage(`${trust} -u wss://127.0.0.1:${wssPort}/api/current ${LOGIN}`));
  }
  const lines = commands.map(
    (command) => `Sandbox (a simulation, not a TrueNAS) listening. Use: ${command}`,
  );
  if (wsPort !== null || wssPort !== null)
    lines.push(
      'Users: admin (password admin-pw), reader (reader-pw, sees only its own jobs), ' +
        'otp (otp-pw, then 123456), noapi (noapi-pw, denied), expired (expired-pw, expired)',
      'API keys, to give as -U USER -K KEY:',
      ...API_KEYS.map(keyLine),
    );
  return lines.map((line) => `${line}\n`).join('');
}

function usage(options: string): string {
  return `midclt ${options} -d call system.info`;
}

function keyLine({ id, key, username, expiresAt = Infinity }: ApiKey): string {
  const note = expiresAt <= Date.now() ? ' (expired)' : '';
  return `  ${username.padEnd(6)} ${id}-${key}${note}`;
}

/** One a user, so that two users of a machine don't meet. */
function defaultPath(): string {
  return path.join(os.tmpdir(), `midclt-sandbox-${process.getuid?.() ?? 0}.sock`);
}

/** Whoever trusts it has to read it. */
function writeCertificate(file: string, text: string): void {
  const descriptor = openToWrite(file, fs.constants.O_TRUNC, 0o644);
  try {
    fs.writeFileSync(descriptor, text);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** The port that could not be listened on, if it was one. */
function placeOf(error: unknown): string | null {
  const { port = -1 } = error as { port?: number };
  return port < 0 ? null : `port ${port}`;
}

function reasonOf(error: unknown): string {
  const { code = '', message, address = '' } = error as NodeJS.ErrnoException & NetAddress;
  // libuv's uv_pipe_bind says EACCES, too, where a socket's directory is missing.
  const isMissing = code === 'EACCES' && !fs.existsSync(path.dirname(address));
  return REASONS[isMissing ? 'ENOENT' : code] ?? message;
}

interface NetAddress {
  /** What was to be listened on; none is of a file. */
  readonly address?: string;
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
