/** What is said where there is no connection: the reason, and what to do about it. */
import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { MidcltError } from '../../../lib/errors.js';
import { parseTarget } from '../../../lib/middleware/uri.js';
import {
  connectError,
  HttpAnswer,
  isDistrust,
  namesOf,
} from '../../../lib/middleware/unreachable.js';
import { issue, type Wish } from '../../support/certificates.js';

function textOf(uri: string, error: Error): string {
  const { code, message, cause } = connectError(parseTarget(uri), error);
  t.equal(code, 'CONNECT');
  t.equal(cause, error);
  t.notMatch(message, /\n/);
  return message;
}

const WSS = 'wss://nas:8443/api/current';

t.test('an answer by HTTP', async (t) => {
  const at = (uri: string, status: number, location: string | null = null) =>
    textOf(uri, new HttpAnswer(status, location));
  const ws = 'ws://nas/api/current';
  t.equal(
    at(ws, 301, 'https://nas/api/current'),
    `Cannot connect to ${ws}: HTTP status 301 instead of a WebSocket. It redirects to https://nas/api/current; try '-u wss://nas/api/current'`,
  );
  t.match(at(ws, 302, '/ui/'), /It redirects to http:\/\/nas\/ui\/$/, 'where it came from');
  t.match(at(WSS, 308, '//u:p@other/a\x1bb'), /It redirects to https:\/\/other\/a%1Bb; try/);
  t.match(at(WSS, 308, 'https://a b/'), /instead of a WebSocket$/);
  t.match(
    at('wss://old/api/current', 308, 'https://u:p@nas/'),
    /It redirects to https:\/\/nas\/; try '-u wss:\/\/nas\/api\/current'$/,
  );
  t.match(at(ws, 301), /instead of a WebSocket$/);
  t.match(
    at('ws://nas', 404),
    /The middleware is at \/api\/current: try '-u ws:\/\/nas\/api\/current'$/,
  );
  t.match(at(WSS, 404), /before 25\.04 has \/websocket: try '-u wss:\/\/nas:8443\/websocket'$/);
  t.match(
    at('ws+unix:///run/x.sock:/x', 404),
    /try '-u ws\+unix:\/\/\/run\/x\.sock:\/api\/current'$/,
  );
  for (const status of [502, 503, 504]) t.match(at(WSS, status), /it is starting, or has failed/);
  for (const status of [401, 403]) t.match(at(WSS, status), /does not let this machine in/);
  t.match(at(ws, 400), /If that port is one for TLS, it is '-u wss:\/\/nas\/api\/current'$/);
  t.match(at(WSS, 400), /A proxy in between may not let WebSockets through/);
  t.match(at(WSS, 500), /HTTP status 500 instead of a WebSocket$/);
});

t.test('TLS where there is none, and none where there is', async (t) => {
  const failed = (code: string, message: string) => Object.assign(new Error(message), { code });
  for (const error of [
    failed(
      'EPROTO',
      'write EPROTO 80:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:',
    ),
    failed('ERR_SSL_WRONG_VERSION_NUMBER', '0A00010B:SSL routines::wrong version number'),
    failed(
      'ERR_SSL_PACKET_LENGTH_TOO_LONG',
      'C0:error:0A0000C6:SSL routines::packet length too long',
    ),
  ]) {
    t.match(
      textOf(WSS, error),
      /: what answers does not speak TLS\. Without TLS it would be '-u ws:\/\/nas:8443\/api\/current'/,
    );
  }
  const hint = /\. If that port is one for TLS, it is '-u wss:\/\/nas\/api\/current'$/;
  t.match(textOf('ws://nas/api/current', failed('ECONNRESET', 'socket hang up')), hint);
  t.match(textOf('ws://nas/api/current', failed('HPE_INVALID_CONSTANT', 'Parse Error: …')), hint);
  t.notMatch(textOf(WSS, failed('ECONNRESET', 'socket hang up')), hint);
  t.notMatch(textOf('ws://nas/api/current', failed('ECONNRESET', 'read ECONNRESET')), hint);
});

t.test('a TLS alert of the server says nothing of its certificate', async (t) => {
  const alert = (name: string) => {
    const reason = name.toLowerCase().replaceAll('_', ' ');
    const text = `80DC2C9B407F0000:error:0A00045C:SSL routines:ssl3_read_bytes:${reason}:../deps/openssl/openssl/ssl/record/rec_layer_s3.c:1601:SSL alert number 1\n`;
    const error = Object.assign(new Error(text), { code: `ERR_SSL_${name}` });
    t.notOk(isDistrust(connectError(parseTarget(WSS), error)), name);
    return textOf(WSS, error);
  };
  t.equal(
    alert('TLSV13_ALERT_CERTIFICATE_REQUIRED'),
    `Cannot connect to ${WSS}: tlsv13 alert certificate required (ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED). What answers wants a certificate of the client, and midclt has none to show: give an address with -u that asks for none`,
  );
  for (const name of ['SSLV3_ALERT_BAD_CERTIFICATE', 'SSL/TLS_ALERT_BAD_CERTIFICATE'])
    t.match(alert(name), /wants a certificate of the client, and/);
  for (const name of ['SSLV3_ALERT_HANDSHAKE_FAILURE', 'SSL/TLS_ALERT_HANDSHAKE_FAILURE'])
    t.match(
      alert(name),
      /: \S+ alert handshake failure \(ERR_.*or it wants a certificate of the cl/,
    );
  t.match(alert('TLSV1_ALERT_PROTOCOL_VERSION'), /no version of TLS in common with Node \d/);
  for (const name of ['WRONG_SIGNATURE_TYPE', 'CERTIFICATE_VERIFY_FAILED', 'NO_REASON'])
    t.match(alert(name), /^Cannot connect to [^(]+: [^:(]+ \(ERR_SSL_\w+\)$/);
});

t.test('a certificate', async (t) => {
  const at = (code: string, wish: Wish | null, more: object = {}) => {
    const certificate = wish ? new X509Certificate(issue(wish).cert) : undefined;
    const error = Object.assign(new Error('why'), { code, certificate, ...more });
    const text = textOf(WSS, error);
    t.match(
      text,
      /^SSL certificate verification failed for wss:\/\/nas:8443\/api\/current: .*--insecure/,
    );
    return text.slice(text.indexOf('current: ') + 9);
  };
  const trust = "'midclt trust nas:8443'";
  const day = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
  t.match(
    at('CERT_HAS_EXPIRED', { to: -3, from: -9 }),
    `the certificate has expired on ${day(-3)} (CERT_HAS_EXPIRED). Renew it on the server, accept exactly this one with ${trust}`,
  );
  t.match(at('CERT_NOT_YET_VALID', { from: 2 }), `is not valid before ${day(2)} (CERT_NOT`);
  t.match(
    at('ERR_TLS_CERT_ALTNAME_INVALID', { names: ['nas.example', '192.168.1.5'] }),
    'the certificate is for nas.example, 192.168.1.5, and not for nas (ERR_TLS',
  );
  t.match(
    at('ERR_TLS_CERT_ALTNAME_INVALID', { names: [] }),
    'has no name of a host, and not for nas',
  );
  const many = Array.from({ length: 100 }, (_, i) => `nas${i}`);
  t.match(
    at('ERR_TLS_CERT_ALTNAME_INVALID', { names: many }),
    /nas7 and 92 more, and not for nas /,
  );
  t.match(
    at('DEPTH_ZERO_SELF_SIGNED_CERT', {}),
    /^the certificate is self-signed .*--ca-file FILE/,
  );
  const issuer = issue({ name: 'Our\x1b[2J CA', isAuthority: true });
  for (const code of ['SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']) {
    t.match(
      at(code, { issuer }),
      /^the certificate was issued by an authority "CN=Our\P{Cc}* CA" that/u,
    );
  }
  t.match(at('CERT_REVOKED', null), /^why \(CERT_REVOKED\)\. Accept exactly/);
  t.match(
    at('ERR_TLS_PINNED', {}, { pinned: 'AB:CD' }),
    new RegExp(
      `^the server's certificate is another .*: sha256:(?:[0-9A-F]{2}:){31}.. in place of sha256:AB:CD\\. If it was renewed, ${trust}`,
    ),
  );
});

t.test('one of our own stays', async (t) => {
  const error = new MidcltError('FILES', 'x');
  t.equal(connectError(parseTarget(WSS), error), error);
});

t.test('the names of a certificate', async (t) => {
  t.same(namesOf('DNS:a.example, DNS:*.b, IP Address:::1, IP Address:0:0:0:0:0:0:0:2, email:x@y'), [
    'a.example',
    '*.b',
    '::1',
    '::2',
  ]);
  t.same(namesOf('DNS:"a, DNS:evil", DNS:b'), ['b']);
  t.same(namesOf(undefined), []);
});
