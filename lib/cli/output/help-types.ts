/** What `-h` prints for `types`. */

export const TYPES = `\
usage: midclt [OPTION ...] [-d] types [-o FILE] [--bigint]

Write TypeScript's types of the methods and events of this server, as far as it
describes them. A program of the Node API that says connect<TrueNAS>() has its
method names, parameters and results checked against them.

Options:
  -o, --output FILE         into this file, or into truenas.d.ts in this
                            directory; '-', the default, is stdout
  --bigint                  integers of results are number | bigint, which is
                            what connect({ bigint: true }) gives
  -h, --help                show this help
  Those of 'midclt -h' may stand here too; -t is how long a call may take.

  They are of the methods that this user may call. What the server does not
  describe is unknown in the file, which says so: results before 25.04, and
  events from 27 on.

Exit codes:
  0  written        1  a call failed, or the file can't be written
  2  wrong usage

Example:
  midclt -d types -o truenas.d.ts
`;
