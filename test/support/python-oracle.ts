/** Python, asked what it makes of something: the same process for all questions of a test. See python-oracle.py. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import split2 from 'split2';
import type { Test } from 'tap';
import { missing } from './midclt.js';
import { ROOT } from './root.js';

const PROGRAM = path.join(ROOT, 'test/support/python-oracle.py');

/** For `skip`: why Python can't be asked here, or false. */
export const noPython = missing('python3');

export type Ask = (question: string, about: unknown) => Promise<unknown>;

/** Rejects with Python's own words where it raises. */
export function startOracle(t: Test): Ask {
  const child = spawn('python3', ['-B', PROGRAM], { env: { PATH: process.env.PATH } });
  const waiting: { resolve: (answer: unknown) => void; reject: (error: Error) => void }[] = [];
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stdout.pipe(split2()).on('data', (line: string) => {
    const { answer, raised } = JSON.parse(line) as { answer?: unknown; raised?: string };
    const asked = waiting.shift();
    if (raised === undefined) asked?.resolve(answer);
    else asked?.reject(new Error(raised));
  });
  child.stdin.on('error', () => undefined);
  child.on('close', () => {
    for (const { reject } of waiting.splice(0)) reject(new Error(`Python ended: ${errors}`));
  });
  t.teardown(() => child.kill('SIGKILL'));
  return (question, about) =>
    new Promise((resolve, reject) => {
      if (child.exitCode !== null) reject(new Error(`Python ended: ${errors}`));
      waiting.push({ resolve, reject });
      child.stdin.write(`${JSON.stringify([question, about])}\n`);
    });
}
