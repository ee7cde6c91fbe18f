/** argv to the command it names, and its exit code: 0 success, 1 failure, 2 wrong usage. */
import { isMidcltError } from '../errors.js';
import { parseArgv, type Arguments } from './argv.js';
import { sayError, sayLine } from './output.js';
import { runCall, runPing } from './call.js';
import { daemonExchange, stopDaemon } from './via-daemon.js';

const SUCCESS = 0;
const FAILURE = 1;
const USAGE = 2;

export async function main(argv: readonly string[]): Promise<number> {
  const parsed = parseArgv(argv);
  switch (parsed.kind) {
    case 'usage':
      sayLine(parsed.message);
      return USAGE;
    case 'help':
      process.stdout.write(full().helpText(parsed.command));
      return SUCCESS;
    case 'version':
      process.stdout.write(`midclt ${version()}\n`);
      return SUCCESS;
    case 'run':
      try {
        return await run(parsed.args);
      } catch (error) {
        const code = isMidcltError(error) ? error.code : null;
        if (code !== 'BROKEN_PIPE') sayError(error);
        return code === 'UNSUPPORTED' ? USAGE : FAILURE;
      }
  }
}

async function run(args: Arguments): Promise<number> {
  switch (args.name) {
    case null:
      process.stdout.write(full().helpText(null));
      return SUCCESS;
    case 'call':
      return args.useDaemon ? runCall(args, daemonExchange(args)) : full().callDirectly(args);
    case 'ping':
      return args.useDaemon ? runPing(args, daemonExchange(args)) : full().pingDirectly(args);
    case 'subscribe':
      return full().subscribeCommand(args);
    case 'daemon':
      return full().daemonCommand(args);
    case 'daemon-stop':
      return stopDaemon(args);
    case 'sandbox':
      return full().runSandbox(args);
  }
}

/** Everything but the daemon path; see lib/cli/full.ts. */
function full(): typeof import('./full.js') {
  return require('./full.js') as typeof import('./full.js');
}

function version(): string {
  const manifest = require('../../package.json') as { version: string };
  return manifest.version;
}
