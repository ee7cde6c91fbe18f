/** What `doctor` looks at on the way to the middleware: the host's addresses, TCP, TLS. What is behind that is `websocket.ts`'s. */
import net from 'node:net';
import { shellWord, systemReason } from '../../errors.js';
import { alertHint } from '../../middleware/unreachable.js';
import { isLoopback, type Target } from '../../middleware/uri.js';
import { verdict } from './certificate.js';
import { causeOf, commandFor, failed, lookAt, ok, skipped, warning, within } from './check.js';
import type { Check, Context, Found } from './check.js';
import { webSocket } from './websocket.js';

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
