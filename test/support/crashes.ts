/** Bugs that happen in a daemon, by crash.js, which is preloaded into its process. */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';
import { ground, type DaemonFiles, type Ground } from './lifecycle.js';
import { BINARY, environment, finished, until, type Finished } from './midclt.js';
import { ROOT } from './root.js';

const PRELOAD = path.join(ROOT, 'test/support/crash.js');

export interface Crashing extends Ground {
  /** `midclt -u URI …`, in which, or in whose daemon, a bug may happen. */
  readonly unsafe: (
    args: readonly string[],
    env?: NodeJS.ProcessEnv,
    nodeOptions?: string,
  ) => Promise<Finished>;
  /** Has the next bug be of this kind; null: there is none. */
  readonly bug: (kind: string | null) => void;
  /** Leaves the daemon, which is not stopped, no time until it is called off. */
  readonly starve: () => Promise<void>;
  /** What the daemon's log says, line by line. */
  readonly events: () => Record<string, unknown>[];
  readonly note: () => Record<string, unknown>;
  readonly own: DaemonFiles & { readonly crash: string };
  /** A daemon in the background runs, and its pid is told. */
  readonly started: () => Promise<number>;
}

export async function crashing(t: Test): Promise<Crashing> {
  const around = await ground(t);
  const { home, uri } = around;
  const file = `${home}/bug`;
  const files = around.files();
  const own = { ...files, crash: files.socket.replace(/sock$/, 'crash') };
  const unsafe: Crashing['unsafe'] = (args, env = {}, nodeOptions = '') => {
    const NODE_OPTIONS = `--require ${PRELOAD} ${nodeOptions}`;
    const own = { MIDCLT_AUTOSTART: '', CRASH: file, NODE_OPTIONS };
    return finished(
      spawn(process.execPath, [BINARY, '-u', uri, ...args], {
        env: environment(home, { ...own, ...env }),
        cwd: home,
      }),
    );
  };
  return {
    ...around,
    unsafe,
    own,
    bug(kind) {
      if (kind === null) fs.rmSync(file, { force: true });
      else fs.writeFileSync(file, kind);
    },
    async starve() {
      fs.writeFileSync(file, 'starved');
      await until('the daemon to be starved', () => fs.existsSync(`${file}.starved`));
    },
    events: () =>
      fs
        .readFileSync(own.log, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    note: () => JSON.parse(fs.readFileSync(own.crash, 'utf8')) as Record<string, unknown>,
    async started() {
      const { code, stderr } = await unsafe(['daemon', '--detach']);
      if (code !== 0) throw new Error(stderr);
      return until('its pid', () => around.pid());
    },
  };
}
