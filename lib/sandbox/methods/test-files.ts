/** `test.*` jobs with files and logs: each way a transfer can go. */
import { createHash } from 'node:crypto';
import { generate } from '../files/file-system.js';
import type { JobBody } from '../job.js';
import type { Call, MethodTable } from '../middleware.js';
import { CallError, EINVAL, EIO } from '../python/exceptions.js';
import { optional, required } from '../python/parameters.js';
import { dict, int, isTruthy, numberOf, type PyDict, type PyValue } from '../python/values.js';
import { inputsOf, outputOf } from './files.js';

const NO_OPTIONS = new Map<string, PyValue>();

export const testFileMethods: MethodTable = {
  /**
   * [bytes, options]: generated content. Options: `chunk` (bytes a piece), `delay` (seconds before each), `fail`
   * (after so many bytes), `progress` (true: of its bytes), `refuse` (true: there is no job).
   */
  'test.download': {
    params: [required('bytes', 'integer'), optional('options', 'dict', NO_OPTIONS)],
    job: { downloadable: true, abortable: true },
    body: download,
  },

  /**
   * [options]: answers the size and SHA-256 of each file. Options: `delay` (seconds before each piece is read),
   * `fail` (after so many bytes), `refuse` (true: there is no job), `hash` (false: none), `progress`.
   */
  'test.upload': {
    params: [optional('options', 'dict', NO_OPTIONS)],
    job: { uploadable: true, abortable: true },
    body: upload,
  },

  /** The same; without files it answers an empty list. */
  'test.upload_optional': {
    params: [optional('options', 'dict', NO_OPTIONS)],
    job: { uploadable: true, checkPipes: false },
    body: upload,
  },

  /** [lines, seconds a line, fail]: writes a line of logs at each step. */
  'test.job_logged': {
    params: [
      optional('lines', 'integer', 3n),
      optional('delay', 'number', 0n),
      optional('fail', 'boolean', false),
    ],
    job: { logs: true, abortable: true },
    body:
      ({ args: [lines, delay, fail] }) =>
      async (job) => {
        for (let line = 1; line <= (numberOf(lines) ?? 0); line += 1) {
          await job.sleep(numberOf(delay) ?? 0);
          job.logs += `line ${line}\n`;
        }
        if (fail === true) throw new CallError('job failed on purpose', EIO);
        return null;
      },
  },
};

interface TransferOptions {
  readonly delay: number;
  /** Infinity: never. */
  readonly fail: number;
  readonly has: (name: string) => boolean;
  readonly number: (name: string) => number | undefined;
}

function optionsOf(given: PyValue | undefined): TransferOptions {
  const options: PyDict = given instanceof Map ? given : NO_OPTIONS;
  const number = (name: string): number | undefined => numberOf(options.get(name));
  const has = (name: string): boolean => isTruthy(options.get(name) ?? null);
  if (has('refuse')) throw new CallError('refused on purpose', EINVAL);
  return { delay: number('delay') ?? 0, fail: number('fail') ?? Infinity, has, number };
}

function failed(bytes: number): CallError {
  return new CallError(`failed on purpose after ${bytes} bytes`, EIO);
}

function download({ args: [bytes, given] }: Call): JobBody {
  const { delay, fail, has, number } = optionsOf(given);
  const size = numberOf(bytes) ?? 0;
  return async (job) => {
    if (delay > 0) await job.sleep(delay);
    await generate(Math.min(size, fail), outputOf(job), number('chunk'), async (written) => {
      if (has('progress'))
        job.setProgress(int((written * 99) / Math.max(size, 1)), `${written} of ${size} bytes`);
      if (delay > 0) await job.sleep(delay);
    });
    if (fail <= size) throw failed(fail);
    return dict({ bytes: int(size) });
  };
}

function upload({ args: [given] }: Call): JobBody {
  const { delay, fail, has, number } = optionsOf(given);
  return async (job) => {
    const files: PyValue[] = [];
    let total = 0;
    if (job.pipes.inputs === null) return files;
    for await (const pipe of inputsOf(job)) {
      const hash = number('hash') === 0 ? null : createHash('sha256');
      let size = 0;
      for await (const chunk of pipe.read()) {
        if (delay > 0) await job.sleep(delay);
        size += chunk.length;
        total += chunk.length;
        if (total > fail) throw failed(fail);
        hash?.update(chunk);
        if (has('progress')) job.setProgress(0n, `${total} bytes`);
      }
      files.push(dict({ bytes: int(size), sha256: hash?.digest('hex') ?? null }));
    }
    return files;
  };
}
