/** What the daemon path's bundle begins with; `bin/midclt.ts` runs it. */
import { NOHUP } from '../login/variables.js';
import { main } from './main.js';
import { uncaughtCode } from './output/output.js';

// What is thrown where nobody waits for it: a line for the user, as for everything else.
process.on('uncaughtException', (error) => {
  process.exit(uncaughtCode(error));
});

// What was ignored when this program was started stays so.
if (process.env[NOHUP]) process.on('SIGHUP', () => undefined);

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
