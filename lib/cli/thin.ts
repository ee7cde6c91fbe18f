/** What the daemon path's bundle begins with; `bin/midclt.ts` runs it. */
import { main } from './main.js';

void main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
