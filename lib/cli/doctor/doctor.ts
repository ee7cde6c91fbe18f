/** `doctor`: looks at what a person would look at, in that order, and says of each thing what to do. */
import { isatty } from 'node:tty';
import { stripControls } from '../../text/terminal.js';
import type { Arguments } from '../args/arguments.js';
import { writeOut } from '../output/output.js';
import { failedBy, skipped, type Check, type Context, type Found, type State } from './check.js';
import { daemonChecks } from './daemon.js';
import { localChecks } from './local.js';
import { networkChecks } from './network.js';
import { serverChecks } from './server.js';

const CHECKS: readonly Check[] = [
  ...localChecks,
  ...daemonChecks,
  ...networkChecks,
  ...serverChecks,
];

/** Seconds for each step over the network. */
const PATIENCE = 10;

/**
 * `given` is what was typed; `args` has what the environment and a profile say, too, or is null where `problem` is the
 * reason why they can't be read. Returns the exit code: 0, unless something failed. Throws a `BROKEN_PIPE` error.
 */
export async function doctorCommand(
  given: Arguments,
  args: Arguments | null,
  problem: unknown = null,
): Promise<number> {
  const context: Context = {
    ...{ given, args: args ?? given, problem, env: process.env },
    patience: (given.timeout || PATIENCE) * 1000,
    ...{ target: null, report: null, call: null },
    close: () => undefined,
  };
  const print = given.json ? printJson : printerOf(process.env);
  const results = new Map<string, Found>();
  try {
    for (const check of CHECKS) {
      const found = await look(check, context, results);
      results.set(check.name, found);
      print(check.name, found);
    }
  } finally {
    context.close();
  }
  const all = [...results.values()];
  const count = (state: State) => all.filter((found) => found.state === state).length;
  // What is to be done for a look that was not taken stands beside it.
  const isPartial = all.some(({ state, advice }) => state === 'skipped' && advice !== null);
  if (!given.json) printLine(summary(count('failed'), count('warning'), isPartial));
  return count('failed') === 0 ? 0 : 1;
}

async function look(
  { after = [], look }: Check,
  context: Context,
  results: ReadonlyMap<string, Found>,
): Promise<Found> {
  const obstacle = after.find((name) => results.get(name)?.state === 'failed');
  if (obstacle !== undefined) return skipped(`not looked at, since ${obstacle} failed`);
  try {
    return await look(context);
  } catch (error) {
    return failedBy(error);
  }
}

function summary(failures: number, warnings: number, isPartial: boolean): string {
  if (failures + warnings === 0)
    return isPartial ? 'All that was looked at is well' : 'All is well';
  const words = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
  return [
    ...(failures > 0 ? [`${failures} failed`] : []),
    ...(warnings > 0 ? [words(warnings, 'warning')] : []),
  ].join(', ');
}

type Print = (name: string, found: Found) => void;

function printJson(name: string, { state, message, advice }: Found): void {
  const text = (line: string) => stripControls(line.replaceAll('\n', ' '), '');
  printLine(
    JSON.stringify({ name, state, message: text(message), advice: advice && text(advice) }),
  );
}

const SIGNS: Readonly<Record<State, string>> = { ok: '✔', warning: '!', failed: '✘', skipped: '-' };
const WORDS: Readonly<Record<State, string>> = {
  ...{ ok: 'ok     ', warning: 'warning', failed: 'FAILED ', skipped: 'skipped' },
};
const WIDTH = Math.max(...CHECKS.map(({ name }) => name.length));

function printerOf(env: NodeJS.ProcessEnv): Print {
  const signs = hasSigns(env) ? SIGNS : WORDS;
  const indent = ' '.repeat(signs.ok.length + 1 + WIDTH + 2);
  return (name, { state, message, advice }) => {
    const text = stripControls(message.replaceAll('\n', ' '), '');
    printLine(`${signs[state]} ${name.padEnd(WIDTH)}  ${text}`);
    if (advice !== null) printLine(indent + stripControls(advice, ''));
  };
}

const STDOUT = 1;

/** Can what shows the output show more than ASCII? */
function hasSigns({ LC_ALL, LC_CTYPE, LANG, TERM }: NodeJS.ProcessEnv): boolean {
  const locale = LC_ALL || LC_CTYPE || LANG || '';
  const isPlain = isatty(STDOUT) && /^(?:dumb|linux)?$/.test(TERM ?? '');
  return /utf-?8/i.test(locale) && !isPlain;
}

function printLine(line: string): void {
  writeOut(Buffer.from(`${line}\n`));
}
