/** What `doctor` looks at where the WebSocket is to be: whether its handshake is answered, and what answers in its place. */
import { systemReason } from '../../errors.js';
import { LIVENESS, openWebSocket } from '../../middleware/channel/transport.js';
import { alertHint } from '../../middleware/unreachable.js';
import { parseTarget, type Target } from '../../middleware/uri.js';
import {
  causeOf,
  commandFor,
  failed,
  failedBy,
  laterCommand,
  lookAt,
  ok,
  within,
} from './check.js';
import type { Context, Found } from './check.js';

/** What answers in place of a WebSocket. */
interface HttpAnswer {
  readonly status: number;
  readonly location?: string | null;
}

/** Null: the handshake was answered as it should be. Does not log in. */
async function handshake(target: Target, patience: number): Promise<HttpAnswer | Error | null> {
  const controller = new AbortController();
  const opening = openWebSocket(target, LIVENESS, {}, controller.signal);
  try {
    const { socket } = await within(patience, 'the WebSocket handshake was not answered', opening);
    socket.on('error', () => undefined);
    socket.resume();
    socket.close();
    return null;
  } catch (error) {
    opening.catch(() => undefined);
    controller.abort();
    const { message } = error as Error;
    const status = /HTTP status (\d+)/.exec(message)?.[1];
    if (status === undefined) return error as Error;
    return { status: Number(status), ...((error as Error).cause as Partial<HttpAnswer>) };
  }
}

export async function webSocket(context: Context, target: Target): Promise<Found> {
  const answer = await handshake(target, context.patience);
  const { pathname } = new URL(target.url);
  if (answer === null) return ok(`${pathname} answers`);
  if (answer instanceof Error) return noAnswer(context, target, answer);
  const { status, location = null } = answer;
  const http = `HTTP status ${status} instead of a WebSocket at ${pathname}`;
  const again = ['doctor'];
  if (status === 404) return elsewhere(context, target, http);
  if (status >= 300 && status < 400) {
    const to = location === null ? null : addressIn(location, target);
    const where = location === null ? '' : ` to ${location}`;
    const secure = target.uri.replace(/^ws:/, 'wss:');
    return failed(`${http}: it redirects${where}`, commandFor(context, again, to ?? secure));
  }
  switch (status) {
    case 400:
    case 426:
      return target.scheme === 'ws'
        ? failed(
            `${http}: the port may be one for TLS`,
            commandFor(context, again, target.uri.replace(/^ws:/, 'wss:')),
          )
        : failed(
            `${http}: a proxy in between may not let WebSockets through (Upgrade)`,
            lookAt(target),
          );
    case 401:
    case 403:
      return failed(
        `${http}: the web server does not let this machine in; the system's list of allowed addresses says who may`,
        lookAt(target),
      );
    case 502:
    case 503:
    case 504:
      return failed(
        `${http}: the web server runs, and the middleware behind it is starting, or has failed`,
        laterCommand(context),
      );
    default:
      return failed(http, lookAt(target));
  }
}

/** Null where what is redirected to can be no middleware. */
function addressIn(location: string, target: Target): string | null {
  try {
    const url = new URL(location, target.url.replace(/^ws/, 'http'));
    url.username = url.password = url.hash = '';
    const { uri } = parseTarget(url.href);
    return uri === target.uri ? null : uri;
  } catch {
    return null;
  }
}

const PATHS = ['/api/current', '/websocket'];

/** Looks whether the middleware is at the other path. */
async function elsewhere(context: Context, target: Target, http: string): Promise<Found> {
  const { host, pathname } = new URL(target.url);
  const path = PATHS.find((each) => each !== pathname) ?? '';
  const { scheme, socketPath } = target;
  const start = scheme === 'ws+unix' ? `ws+unix://${socketPath ?? ''}:` : `${scheme}://${host}`;
  for (const each of PATHS.includes(pathname) ? [path] : PATHS) {
    const uri = `${start}${each}`;
    const { url, wire } = parseTarget(uri);
    const answer = await handshake({ ...target, uri, url, wire }, context.patience);
    if (answer !== null) continue;
    const whose = each === '/websocket' ? ', as with a TrueNAS before 25.04' : '';
    return failed(`${http}: it is at ${each}${whose}`, commandFor(context, ['doctor'], uri));
  }
  return failed(
    `${http}, nor at ${PATHS.filter((each) => each !== pathname).join(' or ')}: what answers there is something else`,
    commandFor(context, ['doctor'], `${start}${path}`),
  );
}

function noAnswer(context: Context, target: Target, error: Error): Found {
  const cause = causeOf(error);
  const { code = '', message } = cause as NodeJS.ErrnoException;
  const isRiddle = code.startsWith('HPE_') || /socket hang up|ECONNRESET/.test(code + message);
  if (target.scheme === 'ws' && isRiddle) {
    return failed(
      `what answers speaks no HTTP: ${systemReason(cause)}. The port may be one for TLS`,
      commandFor(context, ['doctor'], target.uri.replace(/^ws:/, 'wss:')),
    );
  }
  // What wants a certificate will want it in a minute, too.
  if (alertHint(cause) !== null) return failedBy(error, lookAt(target));
  return failedBy(error, laterCommand(context));
}
