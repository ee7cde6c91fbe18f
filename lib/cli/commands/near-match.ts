/** The daemons that somebody may have meant who asked for one that is not there. */
import type { Arguments } from '../args/arguments.js';
import { lookAround } from './daemons.js';
import { sayLine } from '../output/output.js';
import { ownCommand } from '../../text/own-command.js';

type Address = Pick<Arguments, 'uri' | 'username'>;

/** Says how to stop the daemons of the same URI and another user; without a URI, any that there is. */
export async function sayNearMatches(asked: Address): Promise<void> {
  for (const { report } of await lookAround()) {
    if (!report || (asked.uri && report.uri !== asked.uri)) continue;
    const { uri, username } = report;
    const whose = [...(username ? [username] : []), uri ?? 'the local middleware'].join(' at ');
    sayLine(
      `There is one for ${whose}; '${ownCommand({ uri, username }, ['daemon-stop'])}' stops it`,
    );
  }
}
