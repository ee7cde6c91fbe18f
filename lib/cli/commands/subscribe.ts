/** `subscribe`: prints the events of the middleware as they come, over a daemon or without one. */
import type { SubscribeMembers } from '../../commands/subscribe.js';
import type { Core } from '../../compose.js';
import { asMidcltError } from '../../errors.js';
import { onOneLine, quote } from '../../json/members.js';
import { sendRequest } from '../../protocol/client.js';
import { Command, MessageType, type ErrorFrame, type EventFrame } from '../../protocol/frames.js';
import { ENVELOPE } from '../../stream/local.js';
import type { Arguments } from '../args/arguments.js';
import { printErrorFrame, sayLine, writeForeign } from '../output/output.js';
import { withCore } from './direct.js';
import { daemonAddress, lineOf, verificationMember, withDaemon } from './via-daemon.js';

const NEWLINE = Buffer.from('\n');
/** The final frame's result when `-t` has ended it. */
const TIMEOUT = '"timeout"';
const MISSED =
  'Events were missed here: the connection to the middleware was lost, or they were not read as fast as they came';

/** The result that ended it, or the error frame. */
type Ending = string | ErrorFrame;

/**
 * Runs until the server ends the subscription (0, or 1 with its error), `-n` events have come (0)
 * or `-t` seconds have passed (1). Returns the exit code.
 */
export async function subscribeCommand(args: Arguments): Promise<number> {
  const ending = args.useDaemon
    ? await throughDaemon(args)
    : await withCore(args, (core) => directly(args, core));
  if (typeof ending === 'string') return ending === TIMEOUT ? 1 : 0;
  // In this process the error is at hand: what the server did not answer is said as for other commands.
  if (ending.cause && asMidcltError(ending.cause).code !== 'CALL') throw ending.cause;
  printErrorFrame(ending);
  return 1;
}

function print({ event }: EventFrame): void {
  if (event) writeForeign(Buffer.concat([onOneLine(event), NEWLINE]));
  else sayLine(MISSED);
}

async function throughDaemon(args: Arguments): Promise<Ending> {
  const address = daemonAddress(args);
  const { event, number, timeout } = membersOf(args);
  const members = [
    `"event":${quote(event ?? '')}`,
    ...(number === null ? [] : [`"number":${number}`]),
    ...(timeout == null ? [] : [`"timeout":${timeout}`]),
  ];
  const line = lineOf(Command.SUBSCRIBE, members, verificationMember(args.uri, args.insecure));
  const result: Buffer[] = [];
  const listener = {
    progress: () => undefined,
    event: print,
    result: (piece: Buffer) => result.push(piece),
  };
  const error = await withDaemon(args, () => sendRequest(address, line, listener));
  return error ?? Buffer.concat(result).toString();
}

/** What can't be printed ends it. */
function directly(args: Arguments, core: Core): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const request = { ...ENVELOPE, command: Command.SUBSCRIBE, ...membersOf(args) };
    let isOver = false;
    const onEvent = (frame: EventFrame) => {
      if (isOver) return;
      try {
        print(frame);
      } catch (error) {
        isOver = true;
        reject(asMidcltError(error));
      }
    };
    void core
      .local()
      .ask(request, () => undefined, onEvent)
      .then((frame) => {
        resolve(frame.type === MessageType.ERROR ? frame : frame.result.toString());
      });
  });
}

/** No time at all is the least there is. */
function membersOf({ event, number, timeout }: Arguments): SubscribeMembers {
  return {
    event,
    number: number !== null && number > 0 ? number : null,
    timeout: timeout === null ? undefined : Math.max(timeout, 0.001),
  };
}
