/** Which system a command line is for: `-p`, `-u`, the variables and the default, and what overrides what. */
import fs from 'node:fs';
import t, { type Test } from 'tap';
import type { Arguments } from '../../../../lib/cli/args/arguments.js';
import { parseArgv } from '../../../../lib/cli/args/argv.js';
import { profileChoice, withEnvironment } from '../../../../lib/cli/args/environment.js';
import { withProfiles } from '../../../../lib/cli/args/profile.js';
import { ownWords, startCommand } from '../../../../lib/text/for-person.js';

const FILE = `
default = "nas1"

[profile.nas1]
uri = "wss://nas1/api/current"
username = "admin"
api_key_file = "keys/nas1"
groups = ["rack1", "prod"]

[profile.nas2]
uri = "wss://nas2/api/current"
username = "bob"
password_file = "~/nas2.password"
insecure = true
plain = true
no_channel_binding = true
groups = ["prod"]

[profile."nas.three"]
uri = "ws+unix:///run/three.sock"
`;

interface Place {
  readonly env: NodeJS.ProcessEnv;
  readonly run: (
    argv: readonly string[],
    env?: NodeJS.ProcessEnv,
  ) => Arguments | readonly Arguments[];
  readonly one: (argv: readonly string[], env?: NodeJS.ProcessEnv) => Partial<Arguments>;
}

function place(t: Test, text: string | null = FILE): Place {
  const directory = fs.mkdtempSync('/tmp/m-');
  t.teardown(() => {
    fs.rmSync(directory, { recursive: true });
  });
  const env = { XDG_CONFIG_HOME: directory };
  fs.mkdirSync(`${directory}/midclt`, { mode: 0o700 });
  if (text !== null) fs.writeFileSync(`${directory}/midclt/profiles.toml`, text, { mode: 0o600 });
  const run: Place['run'] = (argv, more = {}) => {
    const parsed = parseArgv(argv);
    if (parsed.kind !== 'run') throw new Error(JSON.stringify(parsed));
    const all = { ...env, ...more };
    const choice = profileChoice(parsed.args, all);
    return choice === null
      ? withEnvironment(parsed.args, all)
      : withProfiles(parsed.args, choice, all);
  };
  return {
    env,
    run,
    one(argv, more) {
      const args = run(argv, more);
      if (!('uri' in args)) throw new Error('several');
      const { uri, username, apiKey, password, passwordFile, profile } = args;
      return { uri, username, apiKey, password, passwordFile, profile };
    },
  };
}

const NAS1 = { profile: 'nas1', uri: 'wss://nas1/api/current', username: 'admin' };
const NAS2 = { profile: 'nas2', uri: 'wss://nas2/api/current', username: 'bob' };
const NONE = { profile: null, uri: null, username: null, apiKey: null };

t.test('-p, else -u, else MIDCLT_PROFILE, else MIDCLT_URI, else the default', async (t) => {
  const { one } = place(t);
  const both = { MIDCLT_PROFILE: 'nas2', MIDCLT_URI: 'ws://x', MIDCLT_USERNAME: 'eve' };
  t.match(one(['ping']), NAS1, 'the default');
  t.match(one(['ping'], { MIDCLT_URI: 'ws://x' }), { ...NONE, uri: 'ws://x' });
  t.match(one(['ping'], both), NAS2, 'the variable');
  t.match(one(['-u', 'ws://y', 'ping'], both), { ...NONE, uri: 'ws://y', username: 'eve' });
  t.match(one(['-p', 'nas1', 'ping'], both), NAS1, 'the option');
  t.match(one(['ping', '-p', 'nas1'], both), NAS1, 'the option behind the command');
  t.match(one(['-p', '', 'ping']), NAS1, 'an empty one is none');
  t.match(one(['-p', 'local', 'ping'], both), { ...NONE, profile: 'local' });
  t.match(one(['ping'], { ...both, MIDCLT_PROFILE: 'local' }), { ...NONE, profile: 'local' });
  t.match(one(['daemon'], { LISTEN_FDS: '1' }), NONE, 'a socket that is passed on is no default');
});

t.test('without a file there is nothing but what there was', async (t) => {
  const { one } = place(t, null);
  t.match(one(['ping']), NONE);
  t.match(one(['ping'], { MIDCLT_URI: 'ws://x', MIDCLT_USERNAME: 'u' }), {
    uri: 'ws://x',
    username: 'u',
  });
  t.throws(() => one(['-p', 'nas1', 'ping']), {
    code: 'REQUEST',
    message: "There is no profile 'nas1', nor any other; 'midclt login nas1' makes it",
  });
});

t.test('options replace parts of a profile, and its proof with its user', async (t) => {
  const { one, env } = place(t);
  const key = `${env.XDG_CONFIG_HOME}/midclt/keys/nas1`;
  t.same(one(['-p', 'nas1', 'ping']), { ...NAS1, apiKey: key, password: null, passwordFile: null });
  t.match(one(['-p', 'nas1', '-u', 'wss://10.0.0.1', 'ping']), {
    ...{ profile: null, uri: 'wss://10.0.0.1', username: 'admin', apiKey: key },
  });
  t.match(one(['-p', 'nas1', '-U', 'eve', 'ping']), {
    profile: null,
    username: 'eve',
    apiKey: null,
  });
  t.match(one(['-p', 'nas1', '-U', 'admin', 'ping']), { profile: 'nas1', apiKey: key });
  t.match(one(['-p', 'nas1', '-P', 'x', 'ping']), { apiKey: null, password: 'x' });
  t.match(one(['-p', 'nas1', '--password-file', 'f', 'ping']), { apiKey: null, passwordFile: 'f' });
  t.match(one(['-p', 'nas2', '-K', '1-a', 'ping']), { apiKey: '1-a', passwordFile: null });
});

t.test('what is told to be typed reaches the same system as what was typed', async (t) => {
  const { run } = place(t);
  const words = (...argv: string[]) => ownWords(run([...argv, 'ping']) as Arguments);
  t.same(words('-p', 'nas1'), ['-p', 'nas1']);
  t.same(words('-p', 'nas1', '-P', 'x'), ['-p', 'nas1'], 'but for secrets');
  for (const argv of [
    ['-p', 'nas1', '--plain'],
    ['-p', 'nas1', '--no-channel-binding'],
    ['-p', 'nas1', '-U', 'eve', '--insecure'],
    ['-p', 'nas1', '-u', 'wss://10.0.0.1', '-U', 'eve', '--ca-file', 'ca.pem'],
    ['-p', 'local', '-U', 'bob'],
  ])
    t.same(words(...argv), argv);
  t.same(words('-U', 'eve'), ['-p', 'nas1', '-U', 'eve'], 'of the default');
  t.same(words('-u', 'wss://x', '-U', 'eve'), ['-u', 'wss://x', '-U', 'eve']);
  const local = run(['-p', 'local', '-U', 'bob', 'ping']) as Arguments;
  t.equal(startCommand(local), 'midclt -p local -U bob daemon --detach');
});

t.test('secrets of the environment count where the profile has none', async (t) => {
  const { one } = place(t);
  const env = { MIDCLT_PASSWORD: 'pw', MIDCLT_API_KEY: '1-k' };
  t.match(one(['-p', 'nas1', 'ping'], env), { password: null });
  t.match(one(['-p', 'nas2', 'ping'], env), { password: null, apiKey: null });
  t.match(one(['-p', 'nas.three', 'ping'], env), { password: 'pw', apiKey: '1-k' });
});

t.test('what a profile says of the connection holds, and home is home', async (t) => {
  const { run } = place(t);
  t.match(run(['-p', 'nas2', 'ping']), {
    ...{ insecure: true, plain: true, noChannelBinding: true },
    passwordFile: `${process.env.HOME}/nas2.password`,
  });
});

t.test('several: lists, groups, all, each once and in order', async (t) => {
  const { run } = place(t);
  const names = (text: string) =>
    (run(['-p', text, 'ping']) as readonly Arguments[]).map(({ system }) => system);
  t.same(names('nas2,nas1,nas2'), ['nas2', 'nas1']);
  t.same(names('all'), ['nas1', 'nas2', 'nas.three']);
  t.same(names('@prod'), ['nas1', 'nas2']);
  t.same(names('nas.three,@rack1'), ['nas.three', 'nas1']);
  t.same(names('nas1,'), ['nas1']);
  t.throws(() => names('@nobody'), { message: "No profile is in the group 'nobody'" });
  t.throws(() => names(','), { message: "',' names none" });
  t.throws(() => names('nas1,nosuch'), {
    message: /no profile 'nosuch'; there are nas1, nas2, nas.three, and local/,
  });
  const [first] = run(['-p', 'all', 'ping']) as readonly Arguments[];
  t.equal(first?.useDaemon, true, 'through a daemon');
  const [direct] = run(['-p', 'all', 'ping'], { MIDCLT_USE_DAEMON: '0' }) as readonly Arguments[];
  t.equal(direct?.useDaemon, false);
});

t.test('commands that ask no system read no profiles', async (t) => {
  const { run } = place(t, 'broken');
  for (const argv of [
    ['sandbox'],
    ['daemon-list'],
    ['shell-init', 'sh'],
    ['daemon-stop', '--all'],
    ['profile', 'list'],
  ]) {
    t.doesNotThrow(() => run(argv), argv.join(' '));
  }
  t.throws(() => run(['ping']), { code: 'REQUEST', message: /no valid TOML: line 1/ });
});
