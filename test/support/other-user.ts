/** Runs the built binary as another user; only root can. */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';
import { BINARY, environment, finished, type Finished } from './midclt.js';

/** The user `nobody` of most systems; it need not be in the password database. */
export const OTHER = 65534;

/** For `skip`: why a test that needs another user cannot run here, or false. */
export const noOtherUser: string | false =
  process.getuid?.() === 0 && !spawnSync('setpriv', ['--version']).error
    ? false
    : 'needs root and setpriv(1)';

export interface OtherUser {
  /** A directory of that user's own. */
  readonly home: string;
  readonly run: (args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<Finished>;
}

/** Another user, with a copy of the program that it can read. */
export function otherUser(t: Test): OtherUser {
  const copy = fs.mkdtempSync('/tmp/c-');
  t.teardown(() => {
    fs.rmSync(copy, { recursive: true, force: true });
  });
  fs.cpSync(path.dirname(BINARY), copy, { recursive: true });
  fs.chmodSync(copy, 0o755);
  const home = `${copy}/home`;
  fs.mkdirSync(home, { mode: 0o700 });
  fs.chownSync(home, OTHER, OTHER);
  const ids = [`--reuid=${OTHER}`, `--regid=${OTHER}`, '--clear-groups'];
  return {
    home,
    run: (args, env = {}) => {
      const command = ['env', '-u', 'NODE_OPTIONS', process.execPath, `${copy}/midclt.js`];
      return finished(
        spawn('setpriv', [...ids, ...command, ...args], { env: environment(home, env), cwd: '/' }),
      );
    },
  };
}
