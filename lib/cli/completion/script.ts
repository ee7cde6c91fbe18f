/** `completion`: the script with which a shell completes command lines of this program. */
import type { Arguments, COMPLETING } from '../args/arguments.js';
import { SUCCESS, writeOut } from '../output/output.js';
import { bash } from './bash.js';
import { fish } from './fish.js';
import { levels } from './levels.js';
import { zsh } from './zsh.js';

const SCRIPTS = { bash, zsh, fish };

/** The build writes it to a file, too. */
export function completionScript(shell: (typeof COMPLETING)[number]): string {
  return SCRIPTS[shell](levels());
}

export function completion({ shell }: Arguments): number {
  // The grammar lets no other pass.
  if (shell !== 'sh') writeOut(Buffer.from(completionScript(shell)));
  return SUCCESS;
}
