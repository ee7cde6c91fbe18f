import t from 'tap';
import { addressOf, uriOf } from '../../../lib/files/address.js';
import { getDaemonIdentifier } from '../../../lib/files/paths.js';
import { parseTarget } from '../../../lib/middleware/uri.js';

t.test('what people write for an address is the URI that it means', async (t) => {
  const means = [
    ['nas.example', 'wss://nas.example/api/current'],
    ['nas', 'wss://nas/api/current'],
    ['nas/', 'wss://nas/api/current'],
    ['nas:8443', 'wss://nas:8443/api/current'],
    ['192.168.1.5', 'wss://192.168.1.5/api/current'],
    ['[::1]', 'wss://[::1]/api/current'],
    ['[fe80::1]:8443', 'wss://[fe80::1]:8443/api/current'],
    ['müller.example', 'wss://müller.example/api/current'],
    ['https://nas.example/', 'wss://nas.example/api/current'],
    ['https://nas.example/ui/sessions/signin', 'wss://nas.example/api/current'],
    ['HTTPS://nas', 'wss://nas/api/current'],
    ['http://nas:81', 'ws://nas:81/api/current'],
    ['https://nas/websocket', 'wss://nas/websocket'],
    ['/run/x.sock', 'ws+unix:///run/x.sock'],
  ] as const;
  for (const [text, uri] of means) {
    t.equal(addressOf(text), uri, text);
    t.equal(parseTarget(text).uri, uri);
    t.equal(getDaemonIdentifier(text, 'admin'), getDaemonIdentifier(uri, 'admin'));
  }
});

t.test('a URI stays as it is, to the byte', async (t) => {
  for (const uri of [
    'ws://nas',
    'wss://nas/',
    'WSS://Nas.Example/api/current',
    'ws://nas/ui/',
    'ws+unix:///run/x.sock:/websocket',
    'wss://[fe80::1]:443/api/current?x=1',
  ]) {
    t.equal(addressOf(uri), uri);
    t.equal(parseTarget(uri).uri, uri);
  }
  t.equal(uriOf('ws://nas'), 'ws://nas/api/current', 'but for a profile, which is made only now');
});

t.test('what is neither is told', async (t) => {
  for (const text of ['', 'x y', 'ftp://nas', 'nas:port', 'nas:1234567', '::1', 'nas/x', 'a@nas']) {
    t.equal(addressOf(text), text);
    t.throws(() => parseTarget(text), {
      code: 'REQUEST',
      message: /nor a host's name or address$/,
    });
  }
  t.throws(() => parseTarget('https://a:secret@nas/'), { message: /^The URI has a user name/ });
});
