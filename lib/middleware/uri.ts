/** Where the middleware is: `ws://`, `wss://` or `ws+unix://` and a path. */
import { MidcltError } from '../errors.js';
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
  /** Authorities that are trusted beside the usual ones: PEM. */
  readonly ca: string | null;
  /**
   * The SHA-256 of the one certificate that is accepted, where one is pinned for the host. It is asked for each
   * connection anew, so that a daemon hears of another. May throw.
   */
  readonly pin: () => string | null;
}

export interface Verification {
  readonly insecure?: boolean;
  readonly ca?: string | null;
  /** Given the host, with its port unless that is 443. */
  readonly pinOf?: (host: string) => string | null;
}

/**
 * Throws a `REQUEST` error for anything that is no URI of a middleware, nor an address that means one. `ws+unix:///PATH`
 * may carry the path of the handshake after a colon: `ws+unix:///PATH:/websocket`.
 */
export function parseTarget(address: string, how: Verification = {}): Target {
  const uri = addressOf(address);
  const { insecure = false, ca = null, pinOf = () => null } = how;
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
    ca,
    pin: () => pinOf(url.host),
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
    ...{ verify: false, ca: null, pin: () => null },
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
