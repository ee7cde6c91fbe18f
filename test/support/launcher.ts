/** The launcher under every shell, with what it may find on its PATH. */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { environment, finished, LAUNCHER, type Finished, type RunOptions } from './midclt.js';

const found = (program: string) =>
  spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).stdout.trim();
export const has = (program: string) => found(program) !== '';

/** How each is started. */
export const SHELLS = ['dash', 'busybox sh', 'zsh', 'bash --posix', 'sh'].filter((shell) =>
  has(shell.split(' ')[0] ?? ''),
);
export const CONNECTORS = ['nc', 'socat'].filter(has);

const TOOLS = ['sh', 'ls', 'sha256sum', 'sleep', 'date', 'cat', 'dd', 'rm', 'readlink', 'env'];

export interface Box {
  readonly path: string;
  /** The launcher's command for a shell, with this PATH. */
  readonly command: string;
  /** How often Node was started from here. */
  readonly starts: () => number;
  /** Runs `midclt`, by the launcher. */
  readonly run: (args: readonly string[], options?: Partial<RunOptions>) => Promise<Finished>;
}

/** A PATH on which there are these `connectors`, and a `node` whose starts are counted. */
export function boxOf(home: string, connectors: readonly string[], shell = 'sh'): Box {
  const path = fs.mkdtempSync(`${home}/box-`);
  const count = `${path}/count`;
  fs.writeFileSync(count, '');
  for (const tool of [...TOOLS, ...connectors]) fs.symlinkSync(found(tool), `${path}/${tool}`);
  const node = `#!/bin/sh\necho "\${NODE_EXTRA_CA_CERTS-}" >>'${count}'\nexec '${process.execPath}' "$@"\n`;
  fs.writeFileSync(`${path}/node`, node, { mode: 0o755 });
  const [program = '', ...words] = shell.split(' ');
  const binary = found(program);
  return {
    path,
    command: `PATH='${path}' '${binary}' ${[...words, LAUNCHER].join(' ')}`,
    starts: () => fs.readFileSync(count, 'utf8').split('\n').length - 1,
    run: (args, { env = {}, input, cwd = home } = {}) =>
      finished(
        spawn(binary, [...words, LAUNCHER, ...args], {
          env: environment(home, { PATH: path, ...env }),
          cwd,
        }),
        input,
      ),
  };
}
