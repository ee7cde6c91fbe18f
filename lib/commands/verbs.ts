/** The table of verbs: each is one entry, in a file of its own. */
import { Command } from '../protocol/frames.js';
import { VerbTable } from '../protocol/request.js';
import type { Verb, Verbs } from '../stream/verb.js';
import { CALL } from './call.js';
import type { CommandOptions, Entry } from './entry.js';
import { FOLLOW } from './follow.js';
import { CLI_CALL, CLI_PING } from './for-shells.js';
import { PING } from './ping.js';
import { STATUS } from './status.js';
import { STOP } from './stop.js';
import { SUBSCRIBE } from './subscribe.js';

export type { DaemonControl } from './entry.js';

const ENTRIES: readonly (readonly [string, Entry])[] = [
  [Command.CALL, CALL],
  [Command.PING, PING],
  [Command.STOP, STOP],
  [Command.STATUS, STATUS],
  [Command.SUBSCRIBE, SUBSCRIBE],
  [Command.FOLLOW, FOLLOW],
  [Command.CLI_CALL, CLI_CALL],
  [Command.CLI_PING, CLI_PING],
];

/** Reads requests, and serves none. */
export const REQUESTS = new VerbTable(ENTRIES);

export function createVerbs(options: CommandOptions): Verbs {
  return new VerbTable(
    ENTRIES.map(([command, { format, serve }]): [string, Verb] => [
      command,
      { format, ...serve(options) },
    ]),
  );
}
