/** argv to the command it names, and its exit code: 0 success, 1 failure, 2 wrong usage. */
import { parseArgv, type Typed } from './args/argv.js';
import type { Arguments } from './args/arguments.js';
import { conflictOf } from './args/conflicts.js';
import { profileChoice, withEnvironment } from './args/environment.js';
import { SUCCESS, USAGE, failureCode, isTerminal, sayLine, writeOut } from './output/output.js';
import { runCall, runPing } from './commands/call.js';
import { VERSION } from '../protocol/frames.js';
import { anyDaemonExchange, stopDaemon } from './commands/via-daemon.js';
import { shellAnswer } from './shell/answer.js';

export async function main(argv: readonly string[]): Promise<number> {
  try {
    // Not for users: no help names them.
    if (argv[0] === 'shell-answer') return leave(await shellAnswer(argv.slice(1)));
    if (argv[0] === 'complete') return leave(await full().complete(argv.slice(1)));
    const parsed = parseArgv(argv);
    switch (parsed.kind) {
      case 'usage':
        return wrongUsage(parsed.message, parsed.command, parsed.typed);
      case 'help':
        return print(full().helpText(parsed.command, parsed.method));
      case 'version':
        return print(`midclt ${VERSION}\n`);
      case 'run':
        return await run(parsed.args);
    }
  } catch (error) {
    return failureCode(error);
  }
}

/** Before anything else: other users see a process's arguments. */
function wipeSecrets({ name, password, apiKey, otp }: Arguments): void {
  const secrets = [password, apiKey, otp];
  if (secrets.some((secret) => secret !== null)) process.title = `midclt ${name ?? ''}`;
}

async function run(given: Arguments): Promise<number> {
  wipeSecrets(given);
  const conflict = conflictOf(given);
  if (conflict !== null) {
    return wrongUsage(`midclt: error: ${conflict}`, null);
  }
  const args = given.name === 'doctor' ? effectiveOrError(given) : effective(given);
  if (args instanceof Error) return leave(await full().doctorCommand(given, null, args));
  if (!('name' in args)) return leave(await full().runFleet(args));
  const misplaced = given.systems !== null ? '--parallel' : given.sort ? '--sort' : null;
  if (misplaced !== null) {
    const why = 'only allowed with several profiles (-p)';
    return wrongUsage(`midclt: error: argument ${misplaced}: ${why}`, null);
  }
  switch (args.name) {
    case null:
      return print(full().helpText(null));
    case 'call':
      return leave(
        await (args.useDaemon
          ? runCall(args, anyDaemonExchange(args), sayNearNames)
          : direct().callDirectly(args, sayNearNames)),
      );
    case 'ping':
      return leave(
        await (args.useDaemon
          ? runPing(args, anyDaemonExchange(args))
          : direct().pingDirectly(args)),
      );
    case 'subscribe':
      return full().subscribeCommand(args);
    case 'daemon':
      return full().daemonCommand(args);
    case 'daemon-stop':
      return args.all ? full().stopAll() : stopDaemon(args);
    case 'daemon-status':
      return full().daemonStatus(args);
    case 'daemon-list':
      return full().daemonList(args);
    case 'daemon-log':
      return full().daemonLog(args);
    case 'shell-init':
      return full().shellInit(args);
    case 'completion':
      return full().completion(args);
    case 'sandbox':
      return sandbox().runSandbox(args);
    case 'batch':
      return full().runBatch(args);
    case 'job list':
    case 'job show':
    case 'job wait':
    case 'job follow':
    case 'job abort':
    case 'job log':
      return leave(await full().jobCommand(args));
    case 'download':
      return leave(await full().downloadCommand(args));
    case 'upload':
      return leave(await full().uploadCommand(args));
    case 'methods':
    case 'describe':
    case 'events':
      return leave(await full().findCommand(args));
    case 'types':
      return leave(await full().typesCommand(args));
    case 'doctor':
      return leave(await full().doctorCommand(given, args));
    case 'trust':
      return full().trustCommand(args);
    case 'login':
      return full().loginCommand(args);
    case 'profile add':
    case 'profile list':
    case 'profile show':
    case 'profile remove':
    case 'profile default':
      return full().profileCommand(args);
    case 'service install':
    case 'service remove':
    case 'service status':
      return full().serviceCommand(args);
    case 'help':
      return full().helpCommand(args);
    case 'version':
      return print(`midclt ${VERSION}\n`);
  }
}

/** What holds, with the environment and a profile; a list, where `-p` stands for several systems. */
function effective(given: Arguments): Arguments | readonly Arguments[] {
  const choice = profileChoice(given, process.env);
  if (choice === null) return withEnvironment(given, process.env);
  return profiles().withProfiles(given, choice, process.env);
}

/** What is wrong with the profiles is for `doctor` to tell, beside all else. */
function effectiveOrError(given: Arguments): ReturnType<typeof effective> | Error {
  try {
    return effective(given);
  } catch (error) {
    return error as Error;
  }
}

/** Opened only where a method does not exist. */
function sayNearNames(args: Arguments): void {
  full().sayNearNames(args);
}

function wrongUsage(message: string, command: string | null, typed?: Typed): number {
  sayLine(full().usageError({ message, command, ...(typed && { typed }) }, isTerminal()));
  return USAGE;
}

/**
 * Ends this process at once: all is printed, and to take the socket apart would take milliseconds. Of a WebSocket
 * the system has the close frame already; nobody waits for the server's.
 */
function leave(code: number): never {
  process.exit(code);
}

function print(text: string): number {
  writeOut(Buffer.from(text));
  return SUCCESS;
}

/** What the others don't need; see lib/cli/full.ts. */
function full(): typeof import('./full.js') {
  return require('./full.js') as typeof import('./full.js');
}

/** Commands without a daemon, a bundle of their own: the less is read, the sooner they run. */
function direct(): typeof import('./commands/direct.js') {
  return require('./commands/direct.js') as typeof import('./commands/direct.js');
}

/** What reads profiles, a bundle of its own: who has none does without. */
function profiles(): typeof import('./args/profile.js') {
  return require('./args/profile.js') as typeof import('./args/profile.js');
}

/** The sandbox, a bundle of its own, which nothing else loads. */
function sandbox(): typeof import('./commands/sandbox.js') {
  return require('./commands/sandbox.js') as typeof import('./commands/sandbox.js');
}
