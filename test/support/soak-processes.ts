/** Commands that are run as processes during a soak: calls, jobs that are waited for, batches, and files both ways. */
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { contentAt } from '../../lib/sandbox/files/content.js';
import { environment, finished, LAUNCHER, spawnMidclt, type Finished } from './midclt.js';
import { pause } from './soak-clients.js';
import type { Fate } from './soak-ledger.js';
import type { Entry } from './soak-requests.js';
import type { Stage } from './soak-stage.js';
import type { Frame } from './wire.js';

/** What a stage's processes have done. */
export interface Done {
  calls: number;
  waits: number;
  batches: number;
  downloads: number;
  uploads: number;
}

export const NOTHING_DONE: Readonly<Done> = {
  ...{ calls: 0, waits: 0, batches: 0, downloads: 0, uploads: 0 },
};

type Act = (stage: Stage, number: number) => Promise<void>;

function run(stage: Stage, args: readonly string[], input = ''): Promise<Finished> {
  const { env, home } = stage;
  const child = spawnMidclt([...stage.globals, '-d', ...args], { home, env });
  return finished(child, input);
}

/** By the launcher, which is a shell script. */
function launch({ env, globals, home }: Stage, args: readonly string[]): Promise<Finished> {
  const command = ['-u', 'NODE_OPTIONS', LAUNCHER, ...globals, '-d', ...args];
  return finished(spawn('env', command, { env: environment(home, env), cwd: home }));
}

/** A daemon that lets nobody in has not read the request. */
const NOT_READ =
  /runs and closes|Cannot connect to the daemon|before it read the request|was not sent: the daemon closed/;

/** What became of a call, by the process that made it. */
function judge(
  { ledger }: Stage,
  entry: Entry,
  { code, stdout, stderr }: Finished,
  expected: string,
) {
  if (code === 0 && stdout === expected) {
    ledger.settle(entry, 'answered');
    return;
  }
  let verdict: Fate | { readonly problem: string } = ledger.errorVerdict(entry, stderr);
  if (NOT_READ.test(stderr) && ledger.happened(entry, 'crowd')) verdict = 'not sent';
  if (code === 1 && stdout === '' && typeof verdict === 'string') {
    ledger.settle(entry, verdict, stderr);
    return;
  }
  if (code === 0) ledger.misrouted++;
  ledger.settle(entry, 'wrong');
  const got = JSON.stringify({ code, stdout: stdout.slice(0, 200), stderr: stderr.slice(0, 400) });
  ledger.violate(`${entry.line.slice(0, 160)}: ${got}`, undefined, entry);
}

const call: Act = async (stage, number) => {
  const content = `${number} of ${stage.transport.name}`;
  const entry = stage.ledger.note('echo', 'test.echo', [content, number]);
  const args = ['call', 'test.echo', content, `${number}`];
  const how = number % 2 === 0 ? launch : run;
  judge(stage, entry, await how(stage, args), `[${JSON.stringify(content)}, ${number}]\n`);
};

const followedJob: Act = async (stage, number) => {
  const content = `job ${number}`;
  const entry = stage.ledger.note('job', 'test.job', [2, 0.1, null, content]);
  const args = ['call', '-j', 'test.job', '2', '0.1', 'null', content];
  const done = await run(stage, args);
  judge(stage, entry, { ...done, stderr: done.stderr.replace(/^.*\r/s, '') }, `${content}\n`);
};

/** Jobs have numbers of their own again after a server was killed: a wait may then be for another. */
const waitedForJob: Act = async (stage, number) => {
  const { ledger } = stage;
  const content = `waited for ${number}`;
  const entry = ledger.note('job', 'test.job', [3, 0.2, null, content]);
  const started = await run(stage, [
    ...['call', '-j', '--detach', 'test.job', '3', '0.2', 'null', content],
  ]);
  const id = /^\d+\n$/.exec(started.stdout)?.[0].trim();
  if (id === undefined) {
    judge(stage, entry, started, 'a number');
    return;
  }
  const waited = await run(stage, ['job', 'wait', id]);
  ledger.settle(entry, 'answered');
  if (waited.code === 0 && waited.stdout === `${content}\n`) return;
  if (ledger.happened(entry, 'kill')) return;
  if (waited.code === 0) ledger.misrouted++;
  const isExcused =
    waited.code === 1 &&
    (['loss', 'crowd', 'end'] as const).some((trouble) => ledger.happened(entry, trouble)) &&
    waited.stdout === '';
  if (!isExcused) ledger.violate(`job wait ${id}: ${JSON.stringify(waited)}`, undefined, entry);
};

const batch: Act = async (stage, number) => {
  const { ledger } = stage;
  const entries = Array.from({ length: 10 + (number % 20) }, () => ledger.ask({}, 100));
  const lines = entries.map(({ line }) => line).join('');
  const { code, stdout, stderr } = await run(stage, ['batch', '--parallel', '6'], lines);
  const frames = stdout.split('\n').filter(Boolean);
  if (frames.length !== entries.length || stderr !== '') {
    const got = `${frames.length} answers for ${entries.length}, exit code ${code}: ${stderr}`;
    // Not one was taken from the input where the daemon let nobody in.
    const isRefused = frames.length === 0 && ledger.happened(entries[0]!, 'crowd');
    if (!isRefused) ledger.violate(`a batch: ${got.slice(0, 300)}`, undefined, entries[0]);
  }
  entries.forEach((entry, i) => {
    const frame = frames[i];
    if (frame === undefined) ledger.settle(entry, 'not sent');
    else takeOfBatch(stage, entry, JSON.parse(frame) as Frame);
  });
};

function takeOfBatch({ ledger }: Stage, entry: Entry, frame: Frame): void {
  const error = typeof frame.error === 'string' ? frame.error : '';
  if (NOT_READ.test(error) && ledger.happened(entry, 'crowd')) ledger.settle(entry, 'not sent');
  else ledger.take(entry, frame);
}

const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');

/** Whether a transfer may have failed: it is cut with a connection, and its tokens may have expired. */
function mayFail({ ledger }: Stage, entry: Entry, { code, stderr }: Finished): boolean {
  const isTold = code === 1 && /^[^\n]+\n$/.test(stderr);
  const happened = (['loss', 'kill', 'crowd', 'halt', 'end'] as const).some((trouble) =>
    ledger.happened(entry, trouble),
  );
  return isTold && happened;
}

/** One file that is whole and right, or none. */
const download: Act = async (stage, number) => {
  const { home, ledger } = stage;
  const file = `${home}/down`;
  const bytes = 100_000 + number * 137;
  const entry = ledger.note('job', 'test.download', [bytes, { chunk: 65536 }]);
  fs.rmSync(file, { force: true });
  const done = await run(stage, [
    ...['download', '-q', 'test.download', `${bytes}`, '{"chunk": 65536}', '-o', file],
  ]);
  const isThere = fs.existsSync(file);
  if (done.code === 0) {
    ledger.settle(entry, 'answered');
    const isRight = isThere && sha256(fs.readFileSync(file)) === sha256(contentAt(0, bytes));
    if (!isRight) ledger.violate(`a download of ${bytes} bytes is not what the server has`);
    return;
  }
  ledger.settle(entry, 'unknown');
  if (isThere) ledger.violate(`a download that failed left a file: ${done.stderr}`);
  if (!mayFail(stage, entry, done))
    ledger.violate(`a download: ${JSON.stringify(done)}`, undefined, entry);
};

/** The server names the SHA-256 of what came. */
const upload: Act = async (stage, number) => {
  const { home, ledger } = stage;
  const content = contentAt(0, 100_000 + number * 137);
  const entry = ledger.note('job', 'test.upload', [{ hash: true, number }]);
  fs.writeFileSync(`${home}/up`, content);
  const done = await run(stage, [
    ...['upload', '-q', 'test.upload', `{"hash": true, "number": ${number}}`],
    ...['--file', `${home}/up`],
  ]);
  if (done.code === 0) {
    ledger.settle(entry, 'answered');
    const expected = [{ bytes: content.length, sha256: sha256(content) }];
    const isRight = JSON.stringify(JSON.parse(done.stdout)) === JSON.stringify(expected);
    if (!isRight) ledger.violate(`an upload of ${content.length} bytes became ${done.stdout}`);
    return;
  }
  ledger.settle(entry, 'unknown');
  if (!mayFail(stage, entry, done))
    ledger.violate(`an upload: ${JSON.stringify(done)}`, undefined, entry);
};

const ACTS: readonly (readonly [Act, keyof Done])[] = [
  [call, 'calls'],
  [call, 'calls'],
  [followedJob, 'calls'],
  [waitedForJob, 'waits'],
  [batch, 'batches'],
  [download, 'downloads'],
  [upload, 'uploads'],
];

/** Runs one command after the other, of every kind in turn. */
export async function runProcesses(
  stage: Stage,
  done: Done,
  isOver: () => boolean,
  thinks: number,
): Promise<void> {
  for (let number = 0; !isOver(); number++) {
    const [act, name] = ACTS[number % ACTS.length]!;
    await act(stage, number);
    done[name]++;
    await pause(stage.dice.random() * thinks);
  }
}
