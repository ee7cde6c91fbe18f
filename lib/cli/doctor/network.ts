/** What `doctor` looks at on the way to the middleware: the host's addresses, TCP, TLS, and the WebSocket's handshake. */
import net from 'node:net';
import { MidcltError, shellWord, systemReason } from '../../errors.js';
import { LIVENESS, openWebSocket } from '../../middleware/channel/transport.js';
import { alertHint } from '../../middleware/unreachable.js';
import { isLoopback, parseTarget, type Target } from '../../middleware/uri.js';
import { verdict } from './certificate.js';
import { commandFor, failed, failedBy, ok, skipped, warning, within } from './check.js';
import type { Check, Context, Found } from './check.js';

export const networkChecks: readonly Check[] = [
  { name: 'dns', after: ['profile', 'uri'], look: withTarget(names) },
  { name: 'tcp', after: ['profile', 'uri', 'dns'], look: withTarget(tcp) },
  { name: 'tls', after: ['profile', 'uri', 'dns', 'tcp'], look: withTarget(tls) },
  {
    name: 'websocket',
    after: ['profile', 'uri', 'dns', 'tcp', 'tls'],
    look: withTarget(webSocket),
  },
];

type Look = (context: Context, target: Target) => Found | Promise<Found>;

function withTarget(look: Look): Check['look'] {
  return (context) => (context.target ? look(context, context.target) : skipped('no URI'));
}

function hostOf({ url }: Target): string {
  return new URL(url).hostname.replace(/^\[(.*)\]$/, '$1');
}

function portOf({ scheme, url }: Target): number {
  return Number(new URL(url).port) || (scheme === 'wss' ? 443 : 80);
}

/** What the host's name stands for: one address at least, or why none. */
async function addressesOf(target: Target, patience: number): Promise<string[]> {
  const { lookup } = require('node:dns/promises') as typeof import('node:dns/promises');
  const found = lookup(hostOf(target), { all: true });
  const answers = await within(patience, 'the name servers do not answer', found);
  return [...new Set(answers.map(({ address }) => address))];
}

async function names({ patience }: Context, target: Target): Promise<Found> {
  if (target.socketPath !== null) return skipped('a Unix socket needs none');
  const host = hostOf(target);
  if (net.isIP(host)) return ok(`${host} is an address`);
  try {
    return ok(`${host} is ${(await addressesOf(target, patience)).join(', ')}`);
  } catch (error) {
    const why = systemReason(error);
    return failed(
      `${host}: ${why}. See whether it is spelt right, and try the system's address in its place`,
      `getent hosts ${shellWord(host)}`,
    );
  }
}

async function tcp(context: Context, target: Target): Promise<Found> {
  const { patience } = context;
  const { socketPath } = target;
  if (socketPath !== null) return unixSocket(context, socketPath);
  const port = portOf(target);
  const addresses = await addressesOf(target, patience);
  const attempts = await Promise.all(
    addresses.map(async (host) => ({ host, error: await connecting({ host, port }, patience) })),
  );
  const bad = attempts.filter(({ error }) => error !== null);
  const reasons = bad.map(({ host, error }) => `${host}: ${systemReason(error)}`).join('; ');
  if (bad.length === 0) return ok(`port ${port} accepts connections at ${addresses.join(', ')}`);
  if (bad.length < attempts.length) {
    return warning(
      `port ${port} is reached at some addresses, and not at others: ${reasons}`,
      null,
    );
  }
  const isRefused = bad.some(
    ({ error }) => (error as NodeJS.ErrnoException).code === 'ECONNREFUSED',
  );
  const isUsual = new URL(target.url).port === '';
  if (!isRefused) {
    return failed(
      `port ${port} is not reached: ${reasons}. Is the system on, and in this network? A firewall in between is as silent`,
      `ping -c 3 ${shellWord(hostOf(target))}`,
    );
  }
  const text = `nothing listens on port ${port}: ${reasons}. Is it the port of the web interface, and has that started?`;
  const { hostname, pathname } = new URL(target.url);
  const isTls = target.scheme === 'wss';
  // Who has moved the web interface has often moved it there.
  const usual = isUsual
    ? `wss://${hostname}${isTls ? ':8443' : ''}`
    : `${target.scheme}://${hostname}`;
  return failed(text, commandFor(context, ['doctor'], `${usual}${pathname}`));
}

async function unixSocket(context: Context, path: string): Promise<Found> {
  const error = await connecting({ path }, context.patience);
  if (error === null) return ok(`${path} accepts connections`);
  const { code } = error as NodeJS.ErrnoException;
  const why = `${path}: ${systemReason(error)}`;
  if (code === 'ENOENT' && context.args.uri === null) {
    return failed(
      `${why}. This machine is no TrueNAS, or its middleware does not run; another system needs -u, or a profile`,
      'midclt login nas',
    );
  }
  if (code === 'EACCES') return failed(why, `ls -l ${shellWord(path)}`);
  return failed(`${why}. Is the middleware running?`, 'systemctl status middlewared');
}

/** Null: it can be connected to. */
function connecting(
  to: { readonly path: string } | { readonly host: string; readonly port: number },
  patience: number,
): Promise<Error | null> {
  return new Promise((resolve) => {
    const socket = net.connect(to);
    socket.setTimeout(patience);
    const end = (error: Error | null) => {
      socket.destroy();
      resolve(error);
    };
    socket.once('connect', () => {
      end(null);
    });
    socket.once('timeout', () => {
      end(new Error(`no answer within ${patience / 1000} s`));
    });
    socket.on('error', end);
  });
}

async function tls(context: Context, target: Target): Promise<Found> {
  if (target.scheme === 'ws+unix') return skipped('a Unix socket needs none');
  if (target.scheme === 'ws') {
    if (isLoopback(target)) return skipped('ws: is without, which is well on this machine');
    return warning(
      'ws: is not encrypted: who is in the network in between can read what is sent',
      commandFor(context, ['doctor'], target.uri.replace(/^ws:/, 'wss:')),
    );
  }
  const { certificateOf } =
    require('../../middleware/channel/secure.js') as typeof import('../../middleware/channel/secure.js');
  const port = portOf(target);
  try {
    const late = 'the TLS handshake was not answered';
    const shown = await within(context.patience, late, certificateOf(target));
    return verdict(context, target, shown);
  } catch (thrown) {
    const error = causeOf(thrown);
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (
      /WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP_REQUEST|wrong version|http request/i.test(
        code + message,
      )
    ) {
      return failed(
        `port ${port} does not speak TLS, as wss: needs it`,
        commandFor(context, ['doctor'], target.uri.replace(/^wss:/, 'ws:')),
      );
    }
    const hint = alertHint(error);
    const why = `${systemReason(error)}${hint === null ? '' : `. ${hint}`}`;
    return failed(`port ${port}: ${why}`, lookAt(target));
  }
}

/** The system's error behind one of ours. */
function causeOf(error: unknown): Error {
  const { cause } = error as Error;
  return error instanceof MidcltError && cause instanceof Error ? cause : (error as Error);
}

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

/** What shows a person what answers there. */
function lookAt({ url, socketPath }: Target): string {
  const at = socketPath === null ? '' : `--unix-socket ${shellWord(socketPath)} `;
  return `curl -skI ${at}${shellWord(url.replace(/^ws/, 'http'))}`;
}

async function webSocket(context: Context, target: Target): Promise<Found> {
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
        `sleep 60; ${commandFor(context, again)}`,
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
  return failedBy(error, `sleep 60; ${commandFor(context, ['doctor'])}`);
}
