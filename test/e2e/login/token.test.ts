/** What is left of a login with a one-time code. */
import fs from 'node:fs';
import t from 'tap';
import { startDaemon, surroundings } from '../../support/daemon.js';
import { until } from '../../support/midclt.js';

t.jobs = 3; // they wait, side by side

const OTP = ['-U', 'otp', '-P', 'otp-pw', '--otp', '123456'];

t.test('after a one-time code a token logs in again, each time another', async (t) => {
  const around = await surroundings(t, { ws: 0, rateLimit: false, failedLoginDelayMs: 20 });
  const uri = `ws://127.0.0.1:${around.sandbox.wsPort}/api/current`;
  const daemon = await startDaemon(t, { around, uri, username: 'otp', globals: OTP });
  const { stats } = around.sandbox;
  for (let cut = 1; cut <= 3; cut++) {
    around.sandbox.dropAll();
    t.match(await daemon.d(['call', 'core.ping']), { code: 0, stdout: 'pong\n' });
    t.equal(stats.loginsBy.TOKEN_PLAIN, cut);
  }
  around.sandbox.expireSessions();
  t.match(await daemon.d(['call', 'auth.me']), { code: 0, stdout: /"pw_name": "otp"/ });
  t.match(stats.loginsBy, { OTP_TOKEN: 1, TOKEN_PLAIN: 4 });
  const tokens = around.sandbox.received
    .map((text) => JSON.parse(text) as { params: { token?: string }[] })
    .flatMap(({ params }) => params[0]?.token ?? []);
  t.equal(new Set(tokens).size, 4, 'no token is used twice');
  const log = fs.readFileSync(daemon.logFile, 'utf8');
  for (const secret of [...tokens, 'otp-pw', '123456']) t.notOk(log.includes(secret));
});

t.test('a login with a one-time code outlives the tokens of ten minutes', async (t) => {
  const tokens = { ttlSeconds: 2 }; // in place of those ten minutes
  const options = { ws: 0, rateLimit: false, failedLoginDelayMs: 20, tokens } as const;
  const around = await surroundings(t, options);
  const uri = `ws://127.0.0.1:${around.sandbox.wsPort}/api/current`;
  const daemon = await startDaemon(t, { around, uri, username: 'otp', globals: OTP });
  const { stats } = around.sandbox;
  const isOver = () => new Promise((resolve) => setTimeout(resolve, 3000));
  for (let cut = 1; cut <= 2; cut++) {
    await isOver();
    around.sandbox.dropAll();
    t.match(await daemon.d(['call', 'auth.me']), { code: 0, stdout: /"pw_name": "otp"/ });
    await isOver();
    t.match(await daemon.d(['call', 'auth.me']), { code: 0, stdout: /"pw_name": "otp"/ });
    t.match(stats.loginsBy, { OTP_TOKEN: 1, TOKEN_PLAIN: cut });
  }
  t.equal(daemon.child.exitCode, null);
});

t.test('the legacy wire gives no token: the daemon says so and ends', async (t) => {
  const around = await surroundings(t, { ws: 0, rateLimit: false });
  const uri = `ws://127.0.0.1:${around.sandbox.wsPort}/websocket`;
  const daemon = await startDaemon(t, { around, uri, username: 'otp', globals: OTP });
  t.match(await daemon.d(['call', 'core.ping']), { code: 0 });
  around.sandbox.dropAll();
  t.match(await daemon.exited, { code: 1 });
  t.match(daemon.stderr(), /^Error: Failed to login: .*one-time code, which is spent.*\n$/);
  await until('its socket to be gone', () => !fs.existsSync(daemon.socket));
});
