/** Has the daemon path compiled for the next calls, where it was installed under another Node than this one. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { load } from './compiled.js';

/** In the background, and without a word: it all works without. Where others own the program it is left as it is. */
export function precompile(): void {
  try {
    if (load(path.join(__dirname, 'thin.js')).wasCompiled) return;
    accessSync(__dirname, constants.W_OK);
  } catch {
    return;
  }
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [path.join(__dirname, 'precompile.js')], {
    detached: true,
    cwd: '/',
    stdio: 'ignore',
    env: { PATH, HOME },
  });
  child.on('error', () => undefined);
  child.unref();
}
