/** Which daemon the launcher asks with a profile, and which the program would. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import type { Test } from 'tap';
import { parseArgv } from '../../lib/cli/args/argv.js';
import { profileChoice, withEnvironment } from '../../lib/cli/args/environment.js';
import { withProfiles } from '../../lib/cli/args/profile.js';
import { verificationMember } from '../../lib/cli/commands/via-daemon.js';
import { isMidcltError } from '../../lib/errors.js';
import { boxOf } from './launcher.js';
import { environment, finished, LAUNCHER, makeHome } from './midclt.js';

/** Whose daemon is asked (null: the local one's), and what for. Null: the program is to say. */
export type Asked = { readonly key: string | null; readonly insecure: string } | null;

const LEFT = 42;
/** The name of every daemon, as far as `sha256sum` says. */
const NAME = 'feedfeedfeed';

/** A daemon's directory, and a PATH on which the launcher finds who notes down what it does. */
export async function places(t: Test) {
  const home = makeHome(t);
  const directory = `${home}/.midclt`;
  fs.mkdirSync(directory, { mode: 0o700 });
  fs.mkdirSync(`${directory}/daemon-names`); // so that none is remembered
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(`${directory}/daemon-local.sock`, resolve));
  t.teardown(() => server.close());
  fs.linkSync(`${directory}/daemon-local.sock`, `${directory}/daemon-${NAME}.sock`);
  const { path } = boxOf(home, []);
  const script = (name: string, text: string) => {
    fs.rmSync(`${path}/${name}`, { force: true });
    fs.writeFileSync(`${path}/${name}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  };
  script('node', `exit ${LEFT}`);
  script('sha256sum', `IFS= read -r key; echo "$key" >&3; echo ${NAME}01234567`);
  script('nc.openbsd', `IFS= read -r line; echo "$2 $line" >&3; printf '\\n0 5 1\\npong\\n'`);
  return { home, path };
}

/** What the launcher asks for. It throws if that is not all it does. */
export async function launcherAsks(
  { path, home }: { path: string; home: string },
  shell: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Asked> {
  const words = `exec ${shell} "$LAUNCHER" "$@" 3>asked`;
  const cwd = fs.mkdtempSync(`${home}/run-`);
  const child = spawn('/bin/sh', ['-c', words, 'sh', ...args], {
    env: environment(home, { ...env, LAUNCHER, PATH: `${path}:/usr/bin:/bin` }),
    cwd,
  });
  const { code, stdout, stderr } = await finished(child);
  const asked = fs.readFileSync(`${cwd}/asked`, 'utf8');
  fs.rmSync(cwd, { recursive: true });
  if (code === LEFT && !asked.includes('{')) return null;
  const [, key = null, daemon, request] =
    /^(?:(.*)\n)?\S*\/daemon-(\w+)\.sock (\{.*\})\n$/.exec(asked) ?? [];
  const isWhole = daemon === (key === null ? 'local' : NAME) && request !== undefined;
  if (code !== 0 || stdout !== 'pong\n' || stderr !== '' || !isWhole) {
    throw new Error(JSON.stringify({ code, stdout, stderr, asked }));
  }
  return { key, insecure: /,"insecure":\w+/.exec(request)?.[0] ?? '' };
}

/** What the program would ask for; null, too, if it would say what is wrong. */
export function programAsks(args: readonly string[], env: NodeJS.ProcessEnv): Asked {
  const parsed = parseArgv(args);
  if (parsed.kind !== 'run') return null;
  try {
    const choice = profileChoice(parsed.args, env);
    const all =
      choice === null ? withEnvironment(parsed.args, env) : withProfiles(parsed.args, choice, env);
    if (!('name' in all)) return null;
    const { uri, username, insecure } = all;
    return {
      key: uri ? `${uri}${username ? `:${username}` : ''}` : null,
      insecure: verificationMember(uri, insecure),
    };
  } catch (error) {
    if (isMidcltError(error)) return null;
    throw error;
  }
}
