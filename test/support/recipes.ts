/** Three systems with profiles, and what docs/RECIPES.md and contrib/ do with them, run as it is written there. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { Test } from 'tap';
import { startSandbox, type Sandbox } from '../../lib/sandbox/index.js';
import { makeCertificate } from '../../lib/sandbox/wire/certificate.js';
import { examplesOf, pattern, type Example } from './examples.js';
import { AUTOSTART, endAll } from './lifecycle.js';
import { KEY } from './login.js';
import { LAUNCHER, makeHome, shell, until, type Finished, type RunOptions } from './midclt.js';
import { ROOT } from './root.js';

export const CONTRIB = path.join(ROOT, 'contrib');
const RECIPES = path.join(ROOT, 'docs/RECIPES.md');
const NAMES = ['nas1', 'nas2', 'nas3'] as const;

export interface Workshop {
  /** Also the directory in which commands are run. */
  readonly home: string;
  /** First on the commands' PATH. */
  readonly bin: string;
  readonly path: string;
  readonly systems: readonly Sandbox[];
  readonly uris: readonly string[];
  /** Gives another home the same profiles and key. */
  readonly furnish: (home: string) => void;
  readonly sh: (command: string, more?: Partial<RunOptions>) => Promise<Finished>;
  /** Runs all examples of a section in one shell, and compares what they print; `edit` changes a command's text first. */
  readonly runSection: (heading: string, edit?: (command: string) => string) => Promise<void>;
}

/** No process that was started in its home outlives the test. */
export async function workshop(t: Test): Promise<Workshop> {
  const home = makeHome(t);
  const certificate = makeCertificate(); // of all: they are on one host
  const systems = await Promise.all(
    NAMES.map((name) =>
      startSandbox({ unix: `${home}/${name}.mw`, wss: 0, certificate, rateLimit: false }),
    ),
  );
  t.teardown(() => Promise.all(systems.map((system) => system.close())));
  t.teardown(() => endAll(home));
  const uris = systems.map(({ wssPort }) => `wss://localhost:${wssPort}/api/current`);
  const bin = `${home}/bin`;
  fs.mkdirSync(bin);
  const program = (name: string, line: string) =>
    fs.writeFileSync(`${bin}/${name}`, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  program('midclt', `exec sh '${LAUNCHER}' "$@"`);
  // ssh looks for its configuration in the home of the password database, whatever HOME is.
  program('ssh', `exec /usr/bin/ssh -F '${home}/.ssh/config' "$@"`);
  fs.copyFileSync(`${CONTRIB}/prometheus/midclt-textfile`, `${bin}/midclt-textfile`);
  const authorities = `${home}/ca.pem`;
  fs.writeFileSync(authorities, certificate.cert);
  const search = `${bin}:${path.dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`;
  const env = {
    ...AUTOSTART,
    ...{ PATH: search, NODE_EXTRA_CA_CERTS: authorities, USER: process.env.USER },
  };
  const furnish = (place: string) => {
    furnishHome(place, uris);
  };
  furnish(home);
  const sh: Workshop['sh'] = (command, more = {}) =>
    shell(command, { home, ...more, env: { ...env, ...more.env } });
  const runSection: Workshop['runSection'] = async (heading, edit = (command) => command) => {
    const examples = examplesOf(sectionOf(heading));
    t.ok(examples.length > 0, `${examples.length} examples of ${heading}`);
    const printed = await runExamples(
      examples.map((example) => ({ ...example, command: edit(example.command) })),
      `${home}/printed`,
      sh,
    );
    examples.forEach(({ command, output }, i) => t.match(printed[i], pattern(output), command));
  };
  return { home, bin, path: search, systems, uris, furnish, sh, runSection };
}

/** One shell for all of them: a variable stays, and what they print goes into files, for what goes on in the background. */
async function runExamples(
  examples: readonly Example[],
  directory: string,
  sh: Workshop['sh'],
): Promise<string[]> {
  fs.rmSync(directory, { recursive: true, force: true });
  fs.mkdirSync(directory);
  const files = examples.map((_, i) => `${directory}/${i}`);
  const script = examples.map(({ command }, i) => `{ ${command}\n} >'${files[i]}' 2>&1`);
  await sh(script.join('\n'));
  return files.map((file) =>
    fs.existsSync(file) ? fs.readFileSync(file, 'utf8').replaceAll('\r\n', '\n') : '',
  );
}

function furnishHome(home: string, uris: readonly string[]): void {
  const directory = `${home}/.config/midclt`;
  fs.mkdirSync(`${directory}/keys`, { recursive: true, mode: 0o700 });
  fs.writeFileSync(`${home}/.nas-key`, KEY, { mode: 0o600 });
  const profiles = NAMES.map((name, i) => {
    const key = `${directory}/keys/${name}`;
    fs.writeFileSync(key, KEY, { mode: 0o600 });
    return [
      `[profile.${name}]`,
      `uri = "${uris[i]}"`,
      'username = "admin"',
      `api_key_file = "${key}"`,
      'insecure = true',
      `groups = ["${i < 2 ? 'rack1' : 'rack2'}"]`,
    ].join('\n');
  });
  fs.writeFileSync(`${directory}/profiles.toml`, `${profiles.join('\n\n')}\n`, { mode: 0o600 });
  fs.writeFileSync(`${home}/uris.txt`, `${uris.join('\n')}\n`);
}

/** For `skip`: which of these programs are not there, in CI too, where they are installed if they can be; or false. */
export function lacking(...tools: readonly string[]): string | false {
  const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  const none = tools.filter(
    (tool) => spawnSync('sh', ['-c', `command -v ${tool}`], { env }).status !== 0,
  );
  return none.length > 0 && `${none.join(', ')} not installed`;
}

/** What is below a heading of docs/RECIPES.md. */
export function sectionOf(heading: string): string {
  const parts = fs.readFileSync(RECIPES, 'utf8').split(/^## /m);
  const found = parts.find((part) => part.startsWith(`${heading}\n`));
  if (found === undefined) throw new Error(`${heading} is no section of docs/RECIPES.md`);
  return found;
}

/** Code of the document that is not run there but is a file's, by its language. */
export function blocksOf(language: string): string[] {
  const found = fs.readFileSync(RECIPES, 'utf8').matchAll(/^```(\w+)\n(.*?)^```$/gms);
  return [...found].filter((block) => block[1] === language).map((block) => block[2] ?? '');
}

/** SSH servers of this user, one for each name, whose sessions have homes of their own: control hosts. */
export async function startControlHosts(
  t: Test,
  { home, path: search, furnish }: Workshop,
  names: readonly string[],
): Promise<void> {
  const keys = `${home}/.ssh`;
  fs.mkdirSync(keys, { mode: 0o700 });
  const made = await shell(
    "ssh-keygen -q -t ed25519 -N '' -f .ssh/host && ssh-keygen -q -t ed25519 -N '' -f .ssh/id",
    { home },
  );
  if (made.code !== 0) throw new Error(made.stderr);
  if (process.getuid?.() === 0) fs.mkdirSync('/run/sshd', { recursive: true });
  const hosts: string[] = [];
  for (const name of names) {
    const place = `${home}/${name}`;
    fs.mkdirSync(place, { mode: 0o700 });
    furnish(place);
    t.teardown(() => endAll(place));
    const start = (port: number) => {
      // StrictModes would refuse the user's key for lying below /tmp, where everybody may write.
      const lines = [
        ...[`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${keys}/host`, 'PidFile none'],
        ...[`AuthorizedKeysFile ${keys}/id.pub`, 'StrictModes no', 'UsePAM no'],
        ...['PasswordAuthentication no', 'PermitRootLogin prohibit-password'],
        `SetEnv HOME=${place} PATH=${search} NODE_EXTRA_CA_CERTS=${home}/ca.pem`,
      ];
      fs.writeFileSync(`${keys}/${name}.sshd`, `${lines.join('\n')}\n`);
      const server = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', `${keys}/${name}.sshd`], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      t.teardown(() => server.kill('SIGTERM'));
      return server;
    };
    const port = await onFreePort(start, (log) => log.includes('Server listening'));
    hosts.push(`Host ${name}\n  Port ${port}`);
  }
  const common = [
    ...['Host *', 'HostName 127.0.0.1', `IdentityFile ${keys}/id`, 'IdentitiesOnly yes'],
    ...[`UserKnownHostsFile ${keys}/known`, 'StrictHostKeyChecking accept-new', 'LogLevel ERROR'],
  ].join('\n  ');
  fs.writeFileSync(`${keys}/config`, `${hosts.join('\n')}\n${common}\n`);
}

/**
 * Starts a server that can't be told to take any port, and resolves with the one that it has. `isThere` is asked until it is so,
 * or the server has ended: then somebody else has taken that port meanwhile, and it is started on another.
 */
export async function onFreePort(
  start: (port: number) => ChildProcess,
  isThere: (log: string, port: number) => Promise<boolean> | boolean,
): Promise<number> {
  for (let left = 3; ; left--) {
    let log = '';
    const port = await freePort();
    const server = start(port);
    server.stderr?.on('data', (data: Buffer) => (log += data.toString()));
    const isOver = () => server.exitCode !== null || server.signalCode !== null;
    await until('a server to listen', async () => isOver() || (await isThere(log, port)));
    if (!isOver()) return port;
    if (left === 1) throw new Error(`a server ended again and again: ${log}`);
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
