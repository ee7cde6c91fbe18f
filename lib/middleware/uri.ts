/** Where the middleware is: `ws://`, `wss://` or `ws+unix://` and a path. */
import { MidcltError, systemReason } from '../errors.js';
import { addressOf, DEFAULT_PATHNAME, UNIX_PREFIX } from '../files/address.js';

export const DEFAULT_URI = 'ws+unix:///run/middleware/middlewared.sock';

export interface Target {
  /** Safe to print, since a URI with a password in it is refused. */
  readonly uri: string;
  readonly scheme: 'ws' | 'wss' | 'ws+unix';
  /** The Unix socket's path, for `ws+unix`. */
  readonly socketPath: string | null;
  /** What the WebSocket handshake is addressed to. */
  readonly url: string;
  readonly wire: 'jsonrpc' | 'legacy';
  /** Whether the server's certificate is to be verified, for `wss`. */
  readonly verify: boolean;
}

/**
 * Throws a `REQUEST` error for anything that is no URI of a middleware, nor an address that means one. `ws+unix:///PATH`
 * may carry the path of the handshake after a colon: `ws+unix:///PATH:/websocket`.
 */
export function parseTarget(address: string, { insecure = false } = {}): Target {
  const uri = addressOf(address);
  if (uri.startsWith(UNIX_PREFIX)) return unixTarget(uri);
  let url: URL;
  try {
    url = new URL(uri);
  } catch {
    throw badUri(uri);
  }
  if (url.username !== '' || url.password !== '') {
    throw new MidcltError(
      'REQUEST',
      'The URI has a user name or password in it; give them with -U and -P instead',
    );
  }
  if ((url.protocol !== 'ws:' && url.protocol !== 'wss:') || url.hash !== '') throw badUri(uri);
  return {
    uri,
    scheme: url.protocol === 'ws:' ? 'ws' : 'wss',
    socketPath: null,
    url: url.href,
    wire: wireOf(url.pathname),
    verify: !insecure,
  };
}

function unixTarget(uri: string): Target {
  const rest = uri.slice(UNIX_PREFIX.length);
  const colon = rest.lastIndexOf(':/');
  const socketPath = colon === -1 ? rest : rest.slice(0, colon);
  const pathname = colon === -1 ? DEFAULT_PATHNAME : rest.slice(colon + 1);
  if (!socketPath.startsWith('/')) throw badUri(uri);
  return {
    uri,
    scheme: 'ws+unix',
    socketPath,
    url: `ws://localhost${pathname}`,
    wire: wireOf(pathname),
    verify: false,
  };
}

/** Is its host this machine, by name? */
export function isLoopback({ url }: Target): boolean {
  const { hostname } = new URL(url);
  return /^(?:(?:.+\.)?localhost\.?|127\.\d+\.\d+\.\d+|\[::1\]|\[::ffff:7f[0-9a-f]{2}:[0-9a-f]+\])$/.test(
    hostname,
  );
}

function wireOf(pathname: string): Target['wire'] {
  return pathname.endsWith('/websocket') ? 'legacy' : 'jsonrpc';
}

function badUri(uri: string): MidcltError {
  const shown = uri.replace(/\/\/[^/]*@/, '//…@');
  return new MidcltError(
    'REQUEST',
    `'${shown}' is no URI of a middleware (ws://HOST/api/current, wss://HOST/api/current or ws+unix:///PATH), nor a host's name or address`,
  );
}

/** Why there is no connection to a middleware, as a `CONNECT` error that names it. */
export function connectError(target: Target, error: Error): MidcltError {
  const { code } = error as NodeJS.ErrnoException;
  if (target.scheme === 'wss' && isVerification(code)) {
    return new MidcltError(
      'CONNECT',
      `SSL certificate verification failed for ${target.uri}: ${error.message} (${code ?? ''}). ` +
        "Either trust the server's certificate (NODE_EXTRA_CA_CERTS=FILE, or the system's store with " +
        'NODE_OPTIONS=--use-openssl-ca), or pass --insecure to skip verification (not for production)',
      { cause: error },
    );
  }
  const hint =
    code === 'ENOENT' || code === 'ECONNREFUSED' ? '. Is the middleware running there?' : '';
  // Several addresses tried: Node reports them as one error with an empty message.
  const cause = error instanceof AggregateError ? (error.errors[0] as Error) : error;
  const reason = systemReason(cause);
  return new MidcltError('CONNECT', `Cannot connect to ${target.uri}: ${reason}${hint}`, {
    cause: error,
  });
}

/** Was there no connection because the server's certificate is not trusted? With why not. */
export function distrust(error: unknown): string | null {
  if (!(error instanceof MidcltError) || !(error.cause instanceof Error)) return null;
  const { message, code } = error.cause as NodeJS.ErrnoException;
  return error.code === 'CONNECT' && isVerification(code) ? message : null;
}

/** The codes of a certificate that is not trusted, not valid now, or another host's. */
function isVerification(code: string | undefined): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_|SIGNATURE|ERR_TLS_/.test(code ?? '');
}
