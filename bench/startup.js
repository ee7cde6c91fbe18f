'use strict';
// What one `midclt -d call` costs from start to end, beside Node's own start and smaller tools.
const fs = require('node:fs');
const path = require('node:path');
const { BINARY, LAUNCHER, environment, isInstalled, timed } = require('./lib/children.js');
const { interleave, median, paired } = require('./lib/sampling.js');
const { peerCommand, startDaemon, startEchoServer } = require('./lib/surroundings.js');

const LINE = '{"command":"call","method":"core.ping","close":true}\\n';

async function run({ home, report, quick }) {
  const { uri } = await startEchoServer(home);
  const { socket } = await startDaemon(home, uri);
  const options = { env: environment(home, { SOCK: socket }), cwd: home };
  const call = ['-u', uri, '-d', 'call', 'core.ping'];
  const shell = (command) => () => timed('/bin/sh', ['-c', command], options);
  const peer = peerCommand();
  // The daemon of the local middleware, as far as the launcher can tell.
  fs.linkSync(socket, path.join(path.dirname(socket), 'daemon-local.sock'));
  const launched =
    (...args) =>
    () =>
      timed(LAUNCHER, args, withNode);
  const withNode = {
    ...options,
    env: { ...options.env, PATH: `${path.dirname(process.execPath)}:${process.env.PATH}` },
  };
  const withProfile = (count) => {
    const env = { ...withNode.env, XDG_CONFIG_HOME: writeProfiles(home, uri, count) };
    const args = ['-p', 'nas1', '-d', 'call', 'core.ping'];
    return () => timed(LAUNCHER, args, { ...withNode, env });
  };

  const variants = {
    'node -e 0': () => timed(process.execPath, ['-e', '0'], options),
    midclt: () => timed(process.execPath, [BINARY, ...call], options),
    handed: launched('-u', uri, '-d', 'call', '-j', 'core.ping'),
    direct: () => timed(process.execPath, [BINARY, '-u', uri, 'call', 'core.ping'], options),
  };
  if (isInstalled('nc') || isInstalled('socat')) {
    variants.local = launched('-d', 'call', 'core.ping');
    variants['with -u'] = launched(...call);
    variants['with -p'] = withProfile(5);
    variants['of 100'] = withProfile(100);
  }
  if (isInstalled('nc')) variants['printf | nc -U'] = shell(`printf '${LINE}' | nc -U $SOCK`);
  if (isInstalled('socat')) {
    variants['printf | socat'] = shell(`printf '${LINE}' | socat -t 86400 - UNIX:$SOCK`);
  }
  if (peer) variants.peer = () => timed(peer[0], [...peer.slice(1), ...call], options);

  const samples = await interleave(quick ? 2 : 60, variants);
  const value = (name) => ({ value: median(samples[name]), unit: 'ms' });
  const node = samples['node -e 0'];
  report.row({ name: 'node -e 0', ...value('node -e 0') });
  report.row({
    name: 'midclt -d call core.ping',
    ...value('midclt'),
    ratio: paired(samples.midclt, node),
    to: 'node -e 0',
    atMost: 1.3,
  });
  report.row({
    name: 'the same, the fastest of each',
    value: Math.min(...samples.midclt),
    unit: 'ms',
    ratio: Math.min(...samples.midclt) / Math.min(...node),
    to: 'node -e 0',
  });
  const launcher = { local: 0.3, 'with -u': 0.35, 'with -p': 0.4, 'of 100': 0.75, handed: 1.45 };
  const names = {
    local: 'local middleware',
    'with -u': 'with -u',
    'with -p': 'with -p, of 5 profiles',
    'of 100': 'with -p, of 100 profiles',
    handed: 'handed over (-j)',
  };
  for (const [name, atMost] of Object.entries(launcher)) {
    if (!samples[name]) continue;
    const ratio = paired(samples[name], node);
    report.row({
      name: `the launcher, ${names[name]}`,
      ...value(name),
      ratio,
      to: 'node -e 0',
      atMost,
    });
  }
  report.row({
    name: 'midclt call core.ping, direct',
    ...value('direct'),
    ratio: paired(samples.direct, node),
    to: 'node -e 0',
    atMost: 2.2,
  });
  for (const name of Object.keys(variants).filter((name) => name.startsWith('printf'))) {
    report.row({ name, ...value(name), ratio: paired(samples[name], node), to: 'node -e 0' });
  }
  if (!peer) return;
  report.row({
    name: 'the peer',
    ...value('peer'),
    ratio: paired(samples.peer, node),
    to: 'node -e 0',
  });
  const ratio = paired(samples.midclt, samples.peer);
  report.row({
    name: 'midclt -d call core.ping',
    ...value('midclt'),
    ratio,
    to: 'the peer',
    atMost: 0.4,
  });
}

/** Writes a file of profiles as `profile add` does; `nas1` is at the URI. Returns what XDG_CONFIG_HOME is to be. */
function writeProfiles(home, uri, count) {
  const config = path.join(home, `profiles-${count}`);
  const profiles = Array.from({ length: count }, (_, i) => {
    const at =
      i === 0
        ? [`uri = "${uri}"`]
        : [`uri = "wss://nas${i + 1}.example/api/current"`, 'username = "admin"'];
    const key = `api_key_file = "/root/.config/midclt/keys/nas${i + 1}"`;
    return [`[profile.nas${i + 1}]`, ...at, key, 'groups = [ "rack1", "prod" ]', ''].join('\n');
  });
  fs.mkdirSync(path.join(config, 'midclt'), { recursive: true, mode: 0o700 });
  fs.writeFileSync(path.join(config, 'midclt/profiles.toml'), profiles.join('\n'), { mode: 0o600 });
  return config;
}

module.exports = { title: 'one midclt -d call, start to end', run };
