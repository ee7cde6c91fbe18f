/** Random inputs made, and failures made small, by fast-check. `npm run fuzz -- INPUTS` says how many in all. */
import fs from 'node:fs';
import fc from 'fast-check';
import type { Test } from 'tap';
import { seededRandom } from './random-json.js';

/** How many times as many inputs as each target asks for. */
const TIMES = Number(process.env.MIDCLT_FUZZ_TIMES ?? 1);

export interface Target<Input> {
  /** What is fuzzed, as docs/PROOF.md names it. */
  readonly name: string;
  /** How many inputs of the 20,000 that a run without a number has. */
  readonly inputs: number;
  readonly arbitrary: fc.Arbitrary<Input>;
  /** What failed once, made small: checked first in each run. */
  readonly examples?: readonly Input[];
  /** Throws, or rejects, where the program does not do what it must; by another's rules than the program's own. */
  readonly check: (input: Input) => void | Promise<void>;
}

/** One assertion for all inputs. Its message has the seed, the smallest input that fails, and what it throws. */
export async function fuzz<Input>(t: Test, target: Target<Input>): Promise<void> {
  const { seed } = seededRandom();
  const { name, examples = [] } = target;
  const inputs = Math.ceil(target.inputs * TIMES);
  t.comment(`${name}: ${inputs} inputs, seed ${seed}`);
  const started = performance.now();
  const property = fc.asyncProperty(target.arbitrary, async (input) => target.check(input));
  const details = await fc.check(property, {
    numRuns: inputs + examples.length,
    seed,
    includeErrorInReport: true,
    examples: examples.map((example) => [example]),
  });
  const report = details.failed ? await fc.asyncDefaultReportMessage(details) : undefined;
  // As it is: in a difference it would be folded.
  if (report !== undefined) t.comment(report.replace(/[^ -~\n]/g, escaped));
  t.equal(report, undefined, `${name}: ${details.numRuns} inputs`);
  const { MIDCLT_FUZZ_FIGURES: file } = process.env;
  if (file === undefined) return;
  const seconds = (performance.now() - started) / 1000;
  const figures = { name, inputs: details.numRuns, failed: details.failed, seed, seconds };
  fs.appendFileSync(file, `${JSON.stringify(figures)}\n`);
}

/** TAP has no place for control characters. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
