/** The token that stands for a spent one-time code, with lives cut short. */
import t, { type Test } from 'tap';
import { noLog } from '../../../../lib/logger.js';
import { Connection } from '../../../../lib/middleware/connection.js';
import { DEFAULT_POLICY } from '../../../../lib/middleware/login/reconnect-policy.js';
import { startSandbox, type SandboxOptions } from '../../../../lib/sandbox/index.js';
import { parseTarget } from '../../../../lib/middleware/uri.js';
import { until } from '../../../support/midclt.js';

t.jobs = 3; // they wait, side by side

/** Seconds; renewed in time though the machine is busy. */
const TTL = 8;
const NONE = Buffer.from('[]');

async function start(t: Test, tokens: SandboxOptions['tokens']) {
  const sandbox = await startSandbox({ ws: 0, rateLimit: false, failedLoginDelayMs: 20, tokens });
  t.teardown(() => sandbox.close());
  const connection = new Connection({
    target: parseTarget(`ws://127.0.0.1:${sandbox.wsPort}/api/current`),
    credential: { kind: 'password', username: 'otp', password: 'otp-pw' },
    askOtp: () => Promise.resolve('123456'),
    log: noLog,
    policy: {
      ...DEFAULT_POLICY,
      shortest: 10,
      longest: 50,
      tokenLife: TTL * 1000,
      awake: (TTL * 1000) / 6,
    },
  });
  t.teardown(() => {
    connection.close();
  });
  await connection.open();
  const me = async () => String(await connection.call('auth.me', NONE, { timeout: 10_000 }));
  const drop = async () => {
    sandbox.dropAll();
    await until('another connection', () => connection.facts.reconnects === 1);
    await connection.ready(null, 10_000);
  };
  return { sandbox, connection, me, drop };
}

const beyondItsLife = () => new Promise((resolve) => setTimeout(resolve, 1.25 * TTL * 1000));

t.test('where no long-lived token is given, the short one is renewed in time', async (t) => {
  const { sandbox, connection, me, drop } = await start(t, {
    ttlSeconds: TTL,
    refuseGenerated: true,
  });
  await beyondItsLife();
  t.ok(connection.facts.canLogInAgain);
  await drop();
  t.match(await me(), /"pw_name": "otp"/);
  const { TOKEN_PLAIN } = sandbox.stats.loginsBy;
  t.ok(TOKEN_PLAIN >= 2 && TOKEN_PLAIN <= 8, `${TOKEN_PLAIN} logins with tokens`);
  await beyondItsLife();
  t.match(await me(), /"pw_name": "otp"/, 'the session is kept awake');
  t.equal(sandbox.stats.connections, 2);
});

t.test('the truth is told of a token that has run out', async (t) => {
  const { sandbox, connection } = await start(t, { ttlSeconds: TTL, refuseGenerated: true });
  t.ok(connection.facts.canLogInAgain);
  sandbox.setRefusing(502);
  sandbox.dropAll();
  await until('it to have run out', () => !connection.facts.canLogInAgain);
  t.equal(connection.state === 'closed', false);
  sandbox.setRefusing(null);
  t.match(await connection.ended, { code: 'LOGIN', message: /one-time code, which is spent/ });
});

t.test('a session by a long-lived token is kept awake without another login', async (t) => {
  const { sandbox, connection, me, drop } = await start(t, { ttlSeconds: TTL });
  await beyondItsLife();
  await drop();
  await beyondItsLife();
  t.match(await me(), /"pw_name": "otp"/);
  t.match(sandbox.stats.loginsBy, { OTP_TOKEN: 1, TOKEN_PLAIN: 1 });
  t.ok(sandbox.countOf('core.ping') >= 4);
  t.ok(connection.facts.canLogInAgain);
});
