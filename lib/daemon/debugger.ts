/**
 * Keeps debuggers away from a daemon: whoever connects to a debugger's port, any user of the machine, runs code in it.
 * The signal that has Node open one is taken by `bin/midclt.ts`; before that, and by options, it opens still.
 */
import inspector from 'node:inspector';
import { MidcltError } from '../errors.js';

/** Options of Node that open a debugger's port, or write what is in memory to a file. */
const EXPOSING = /^"?--(?:inspect|debug-port|heapsnapshot-|abort-on-uncaught-exception)/;
const ASKED = /--inspect/;

/** Throws if a debugger could connect to this process, unless its own user asked for that. */
export function refuseDebugger({ isAllowed }: { readonly isAllowed: boolean }): void {
  if (inspector.url() === undefined) return;
  const { execArgv, env } = process;
  if (isAllowed && [...execArgv, env.NODE_OPTIONS ?? ''].some((each) => ASKED.test(each))) return;
  throw new MidcltError(
    'FILES',
    'A debugger could connect to the daemon and read its login, so it was not started. ' +
      'Something in NODE_OPTIONS, or the signal SIGUSR1, has opened the port; try again without',
  );
}

/** The value of NODE_OPTIONS without what would expose a daemon. A quoted option may have blanks. */
export function unexposed(options: string): string {
  const each = options.match(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g) ?? [];
  return each.filter((option) => !EXPOSING.test(option)).join(' ');
}
