/** This program as it is in another version: the same with its number changed. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';
import { AUTOSTART, endAll, type Ground } from './lifecycle.js';
import { BINARY, environment, finished, type Finished } from './midclt.js';

const DIST = path.dirname(path.dirname(BINARY));
export const { version: VERSION } = JSON.parse(
  fs.readFileSync(path.join(DIST, '../package.json'), 'utf8'),
) as { version: string };

type Run = (args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<Finished>;

/** The path of this program, as it says of itself that it is of another version. It ends with the test. */
export function binaryOfVersion(t: Test, { home }: Ground, version: string): string {
  const copy = fs.mkdtempSync('/tmp/v-');
  t.teardown(async () => {
    await endAll(home); // a daemon of this version has it compiled, there
    fs.rmSync(copy, { recursive: true, force: true });
  });
  fs.cpSync(`${DIST}/bin`, `${copy}/dist/bin`, { recursive: true });
  for (const name of ['thin.js', 'direct.js', 'full.js']) {
    const file = `${copy}/dist/bin/${name}`;
    const text = fs.readFileSync(file, 'utf8');
    const changed = text.replaceAll(`"${VERSION}"`, `"${version}"`);
    if (changed === text) throw new Error(`${name} has no version to change`);
    fs.writeFileSync(file, changed);
  }
  return `${copy}/dist/bin/midclt.js`;
}

export function ofVersion(t: Test, ground: Ground, version: string): Run {
  const { home } = ground;
  const binary = binaryOfVersion(t, ground, version);
  return (args, env = {}) =>
    finished(
      spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, binary, ...args], {
        env: environment(home, { ...AUTOSTART, ...env }),
        cwd: home,
      }),
    );
}

export async function versionOf({ run }: Ground, ...globals: string[]): Promise<string> {
  const { stdout } = await run([...globals, 'daemon-status', '--json']);
  return (JSON.parse(stdout) as { version: string }).version;
}
