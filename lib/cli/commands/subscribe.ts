/** `midclt subscribe`: each notification on a line of stdout. */
import { callTimeoutOf, type Core } from '../../compose.js';
import { asMidcltError, isMidcltError, MidcltError } from '../../errors.js';
import { errorFrame } from '../../protocol/error-frame.js';
import { onOneLine } from '../../json/members.js';
import type { Arguments } from '../args/arguments.js';
import { after } from '../../timer.js';
import { withCore } from './direct.js';
import { printErrorFrame, writeOut } from '../output/output.js';

const NEWLINE = Buffer.from('\n');

/**
 * Runs until the server ends the subscription (0, or 1 with its error), `-n` events have come (0)
 * or `-t` seconds have passed (1). Returns the exit code.
 */
export async function subscribeCommand(args: Arguments): Promise<number> {
  if (args.useDaemon) {
    throw new MidcltError(
      'UNSUPPORTED',
      "subscribe isn't supported through the daemon; leave out -d",
    );
  }
  try {
    return await withCore(args, (core) => printEvents(core, args));
  } catch (error) {
    if (!isMidcltError(error) || error.code !== 'CALL') throw error;
    printErrorFrame(errorFrame(error));
    return 1;
  }
}

async function printEvents({ subscriptions }: Core, args: Arguments): Promise<number> {
  const { event, number, timeout } = args;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      let left = number !== null && number > 0 ? number : Infinity;
      const onEvent = (params: Buffer) => {
        if (left === 0) return;
        left--;
        try {
          writeOut(Buffer.concat([onOneLine(params), NEWLINE]));
        } catch (error) {
          left = 0;
          reject(asMidcltError(error));
        }
        if (left === 0) resolve(0);
      };
      const follow = async () => {
        const patience = callTimeoutOf(process.env) * 1000;
        const { ended } = await subscriptions.subscribe(event ?? '', onEvent, patience);
        if (left === 0) return; // all that was asked for came before the answer
        const expire = () => {
          resolve(1);
        };
        timer = after(timeout === null ? null : timeout * 1000, expire);
        const error = await ended;
        if (error) throw error;
        resolve(0);
      };
      follow().catch(reject);
    });
  } finally {
    clearTimeout(timer);
  }
}
