/** What `-h` prints of the commands that tell what a server has. */
import { shellWord } from '../../errors.js';

export const METHODS = `\
usage: midclt [OPTION ...] [-d] methods [--json] [--refresh] [PATTERN]

List the methods that the server has for this user, with what each is about.
KIND says which are jobs, which of them write a file (download), and which read
some (upload).

Arguments:
  PATTERN                   a part of a name ('pool'), or a pattern of all of it
                            ('pool.*', 'user.[cu]*'); capitals don't matter.
                            A part that no name has is looked for in what the
                            methods are about ('time zone')

Options:
  --json                    print them as one JSON document
  --refresh                 ask the server anew. Else its answer is kept for a
                            day, while its version and the user are the same;
                            without -d it is believed for ten minutes unasked
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Exit codes:
  0  listed        1  none matches, or the call failed        2  wrong usage

Examples:
  midclt -d methods snapshot
  midclt -d methods 'pool.*' | grep job
`;

export const DESCRIBE = `\
usage: midclt [OPTION ...] [-d] describe [--json] [--refresh] METHOD

Tell what a method does, takes and returns, as far as the server says, and show
commands to copy.

Options:
  --json                    print the server's own entry of it: JSON Schemas
  --refresh                 ask the server anew, as with 'methods'
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Exit codes:
  0  told        1  there is no such method, or the call failed
  2  wrong usage

Examples:
  midclt -d describe pool.scrub
  midclt -d describe user.create --json | jq .accepts
`;

export const EVENTS = `\
usage: midclt [OPTION ...] [-d] events [--json] [PATTERN]

List the events of the server that 'subscribe' can print. TrueNAS from 27 on
has no list of them.

Arguments:
  PATTERN                   as for 'methods'

Options:
  --json                    print the server's own entries
  -h, --help                show this help
  Those of 'midclt -h' may stand here too.

Exit codes:
  0  listed        1  none matches, or there is no list, or the call failed
  2  wrong usage

Example:
  midclt -d events pool
`;

/** For those who have asked for a command's help behind a method's name. */
export function describeLine(method: string): string {
  return `'midclt describe ${shellWord(method)}' tells what the method takes and returns`;
}
