/**
 * A command for several systems (`-p nas1,nas2`): each is asked through a daemon of its own, so many at a time, and
 * answers are printed as they come. What is slow or off holds up nobody but who waits for its place.
 */
import { MidcltError } from '../../errors.js';
import { Command } from '../../protocol/frames.js';
import type { Json } from '../../protocol/frames.js';
import { quote } from '../../json/members.js';
import { DEFAULT_SYSTEMS, type Arguments } from '../args/arguments.js';
import { ownCommand } from '../../text/for-person.js';
import { usageError } from '../args/usage.js';
import { paramsText, timeoutOf, type Exchange, type Outbound } from '../commands/call.js';
import { downloadFor } from '../commands/download.js';
import { followOf, lasting, onSignal, resultOf, withExchange } from '../commands/exchange.js';
import { jobRecord, limitOf, listedJobs } from '../commands/jobs.js';
import { endingSignals } from '../commands/signals.js';
import { listed } from '../output/listed.js';
import { isTerminal, sayLine, USAGE } from '../output/output.js';
import { Answers } from './answers.js';
import { ChildRuns } from './children.js';

/** Of jobs on a terminal. */
const JOBS = 'table=id,state,method,description';
const STDOUT = 1;
/** Stands for the profile's name in the name of a file. */
const PLACEHOLDER = '{profile}';

/** Is told the id of a job that is waited for. */
type Hear = (jobId: number) => void;
/** Asks one system. Resolves with its result; what has printed all that there is to say resolves with whether it went well. */
type Ask = (system: Arguments, hear: Hear) => Promise<Json | boolean>;
type Work = (system: Arguments, exchange: Exchange, hear: Hear) => Promise<Json>;
/** The systems that have not answered; of each its job, null where none is known. */
type Unanswered = Map<string, number | null>;

/** The systems differ in what their profiles say, and are otherwise the same. Returns the exit code. */
export async function runFleet(systems: readonly Arguments[]): Promise<number> {
  const [given] = systems;
  if (!given) throw new MidcltError('REQUEST', 'There is no system to ask');
  // Of a download -q is of the progress, which is shown for one system alone.
  const first = given.name === 'download' ? { ...given, quiet: false } : given;
  const conflict = conflictOf(first);
  if (conflict !== null) {
    const message = `midclt: error: ${conflict}`;
    sayLine(usageError({ message, command: null }, isTerminal()));
    return USAGE;
  }
  const names = systems.map(nameOf);
  const isShown = first.name === 'job list' && !first.json && isTerminal(STDOUT);
  const answers = new Answers(names, isShown ? { ...first, format: first.format ?? JOBS } : first);
  const unanswered: Unanswered = new Map(names.map((name) => [name, null]));
  const failed: string[] = [];
  const { ask, close } = await askerOf(first);
  const state = { ending: null as Promise<void> | null, isEnding: false };
  const forget = onSignal(() => {
    state.isEnding = true;
    const tell = () => {
      try {
        answers.end();
      } catch {
        // nobody reads them
      }
      sayLine(farewell(systems, unanswered));
    };
    state.ending = close()?.then(tell) ?? null;
    if (!state.ending) tell();
    return state.ending;
  }, endingSignals());
  const one = async (index: number, system: Arguments) => {
    const name = nameOf(system);
    try {
      const result = await ask(system, (jobId) => unanswered.set(name, jobId));
      if (state.isEnding) return;
      unanswered.delete(name);
      if (result === false) failed.push(name);
      if (typeof result !== 'boolean') answers.put(index, { kind: 'result', result });
    } catch (error) {
      if (state.isEnding) return;
      unanswered.delete(name);
      failed.push(name);
      answers.put(index, { kind: 'error', error });
    }
  };
  const queue = systems.entries();
  const work = async () => {
    for (const [index, system] of queue) {
      if (state.isEnding) return;
      await one(index, system);
    }
  };
  try {
    const width = Math.min(first.systems ?? DEFAULT_SYSTEMS, systems.length);
    await Promise.all(Array.from({ length: width }, work));
  } finally {
    forget();
    if (!state.isEnding) await close();
  }
  if (state.ending) return state.ending.then(() => new Promise<never>(() => undefined)); // the signal ends this process
  answers.end();
  if (failed.length === 0) return 0;
  const inOrder = names.filter((name) => failed.includes(name));
  if (!first.quiet) sayLine(`${failed.length} of ${names.length} failed: ${listed(inOrder)}`);
  return 1;
}

function farewell(systems: readonly Arguments[], unanswered: Unanswered): string {
  const count = systems.length;
  const names = listed([...unanswered.keys()]);
  const stand = `Interrupted. ${count - unanswered.size} of ${count} have answered; not ${names}`;
  const waits = systems.flatMap((system) => {
    const jobId = unanswered.get(nameOf(system)) ?? null;
    const options = { ...system, useDaemon: false };
    return jobId === null ? [] : `'${ownCommand(options, ['job', 'wait', `${jobId}`])}'`;
  });
  return waits.length === 0 ? stand : `${stand}. Jobs that go on: ${listed(waits)}`;
}

function nameOf({ system }: Arguments): string {
  return system ?? '';
}

/** What makes no sense for several systems, for a line about the usage; or null. */
function conflictOf(args: Arguments): string | null {
  const { name, output, failed, unknown, sort, abortOnInterrupt, format } = args;
  if (format !== null && !/^(?:json$|t[a-z]+=)/.test(format)) {
    const choices = 'choose from json, table=COLUMN,..., tsv=COLUMN,...';
    return `argument -o/--output: not allowed with several profiles (-p): ${format} (${choices})`;
  }
  const has = (file: string | null) => file?.includes(PLACEHOLDER) ?? true;
  switch (name) {
    case 'call':
    case 'ping':
    case 'job list':
    case 'job show':
    case 'job wait':
    case 'job abort':
      return abortOnInterrupt
        ? 'argument --abort-on-interrupt: not allowed with several profiles (-p)'
        : null;
    case 'job log':
      return output === null || has(output) ? null : needs('-o/--output');
    case 'download':
      return output !== null && has(output) ? null : needs('-o/--output');
    case 'batch':
      if (sort) return 'argument --sort: not allowed with batch, whose requests have an id';
      if (!has(failed)) return needs('--failed');
      return has(unknown) ? null : needs('--unknown');
    default:
      return `argument -p/--profile: '${name ?? ''}' is for one system at a time`;
  }
}

function needs(option: string): string {
  return `argument ${option}: with several profiles (-p) it needs ${PLACEHOLDER} in the file's name`;
}

interface Asker {
  readonly ask: Ask;
  /** Ends what is under way. Resolves when it has ended; null: there is nothing to wait for. */
  readonly close: () => Promise<void> | null;
}

async function askerOf(first: Arguments): Promise<Asker> {
  const { name } = first;
  const asking = (work: Work): Asker => ({
    ask: (system, hear) => withExchange(system, (exchange) => work(system, exchange, hear)),
    close: nothing,
  });
  switch (name) {
    case 'call': {
      const outbound = callOf(first); // stdin can be read once
      return asking((_system, exchange, hear) =>
        resultOf(exchange, outbound, ({ jobId }) => {
          if (jobId !== null) hear(jobId);
        }),
      );
    }
    case 'ping':
      return asking((system, exchange) => resultOf(exchange, pingOf(system)));
    case 'job list':
      return asking(listedJobs);
    case 'job show':
      return asking(async (system, exchange) => {
        const record = await jobRecord(system, exchange);
        if (record) return record;
        throw new MidcltError('CALL', `There is no job ${system.jobId}`);
      });
    case 'job wait':
      return asking((system, exchange, hear) => {
        hear(system.jobId);
        const follow = followOf(system.jobId, limitOf(system));
        return lasting(() => resultOf(exchange, { ...follow, asksOutcome: true }));
      });
    case 'download':
      return {
        ask: async (system) => Buffer.from(quote((await downloadFor(named(system))) ?? '')),
        close: nothing,
      };
    default: {
      const runs = await ChildRuns.open(first);
      return {
        ask: async (system) => {
          await reach({ ...system, useDaemon: true });
          return name === 'batch' ? runs.batch(named(system)) : runs.command(named(system));
        },
        close: () => runs.close(),
      };
    }
  }
}

const nothing = () => null;

/** Sees that the system's daemon runs, with a login that no other process is told, and that it answers. */
function reach(system: Arguments): Promise<Json> {
  return withExchange(system, (exchange) => resultOf(exchange, pingOf(system)));
}

function callOf(args: Arguments): Outbound {
  const { job, detach } = args;
  const [method = '', ...rest] = args.method;
  const params = paramsText(rest, (slip) => {
    if (!args.quiet && isTerminal()) sayLine(slip);
  });
  const timeout = timeoutOf(args);
  return { command: Command.CALL, method, params, timeout, job, detach, asksOutcome: true };
}

function pingOf(args: Arguments): Outbound {
  const timeout = timeoutOf(args);
  return { command: Command.PING, method: 'core.ping', params: '[]', timeout, job: false };
}

/** With its name in the names of the files. */
function named(system: Arguments): Arguments {
  const inName = (file: string | null) => file?.replaceAll(PLACEHOLDER, nameOf(system)) ?? null;
  const { output, failed, unknown } = system;
  return {
    ...system,
    ...{ output: inName(output), failed: inName(failed), unknown: inName(unknown) },
  };
}
