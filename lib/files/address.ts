/** What people write for the address of a middleware, as the URI that it means. */

export const DEFAULT_PATHNAME = '/api/current';
export const UNIX_PREFIX = 'ws+unix://';

const URI = /^(?:wss?|ws\+unix):\/\//i;
const WEB = /^(?:http|ws)(s?):\/\//i;
/** Where the web interface is, and so not the middleware. */
const WEB_PATH = /^\/?(?:ui(?:\/.*)?)?$/;
const BARE = /^(?:[\p{L}\p{N}._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?\/?$/u;

/**
 * A host with or without a port, the address of its web interface, or the path of a Unix socket, as a URI. What is one
 * stays as it is, to the byte: a daemon is named by it. Anything else stays as it is, too.
 */
export function addressOf(text: string): string {
  return URI.test(text) ? text : uriOf(text);
}

/** The same, and a `ws://` or `wss://` without a path gets that of the middleware. */
export function uriOf(text: string): string {
  if (text.startsWith('/')) return `${UNIX_PREFIX}${text}`;
  if (text.startsWith(UNIX_PREFIX)) return text;
  const address = BARE.test(text) ? `https://${text}` : text;
  const [start, secure = ''] = WEB.exec(address) ?? [];
  if (start === undefined) return text;
  const [, host = '', path = ''] = /^([^/?#]*)(.*)$/s.exec(address.slice(start.length)) ?? [];
  const pathname = WEB_PATH.test(path) ? DEFAULT_PATHNAME : path;
  return `ws${secure.toLowerCase()}://${host}${pathname}`;
}
