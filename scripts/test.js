'use strict';
// Runs tests: compiles test/ into dist/test once, then each file in a process of its own, some at a time.
//
//   node scripts/test.js [FILE | FOLDER]…     test/unit and test/e2e, unless told what
//
// Of each file there is a line, of one that fails its output without what passed, of a single one all of it.
// MIDCLT_TEST_FIGURES names a file that gets a line of JSON for each: `{ file, passed, failed, tests }`.
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const esbuild = require('esbuild');

const ROOT = path.join(__dirname, '..');
/** Most tests wait most of the time. The slow ones measure memory and need the machine. */
const isSlow = process.argv.slice(2).some((name) => /slow|fuzz|soak/.test(name));
const JOBS = Number(process.env.MIDCLT_TEST_JOBS ?? (isSlow ? 2 : 5));

/** For a file that does not end although its tests have: its own timeouts are shorter, and say more. */
const PATIENCE = 1000 * Number(process.env.MIDCLT_TEST_PATIENCE ?? 20 * 60);

/** What a file's tests may take unless they say otherwise, in seconds. */
const TIMEOUT = 300;

function compile() {
  const sources = fs.readdirSync(path.join(ROOT, 'test'), { recursive: true });
  return esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: sources.filter((name) => name.endsWith('.ts')).map((name) => `test/${name}`),
    outbase: '.',
    outdir: 'dist',
    format: 'cjs',
    platform: 'node',
    target: 'node20.19',
    sourcemap: true,
    logLevel: 'warning',
  });
}

/** The test files of a path, relative to the package's directory. */
function testsOf(name) {
  const place = path.relative(ROOT, path.resolve(name));
  if (!fs.statSync(path.join(ROOT, place)).isDirectory()) return [place];
  return fs
    .readdirSync(path.join(ROOT, place), { recursive: true })
    .filter((each) => each.endsWith('.test.ts'))
    .sort()
    .map((each) => path.join(place, each));
}

function run(file) {
  const compiled = path.join(ROOT, 'dist', file.replace(/\.ts$/, '.js'));
  const since = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--enable-source-maps', compiled], {
      cwd: ROOT,
      env: { TAP_TIMEOUT: String(TIMEOUT), ...process.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = [];
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => output.push(data));
    const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
    child.on('error', reject);
    let closing;
    const end = (code, signal) => {
      clearTimeout(late);
      clearTimeout(closing);
      const seconds = (performance.now() - since) / 1000;
      resolve({ file, seconds, code, signal, output: Buffer.concat(output).toString() });
    };
    child.on('close', end);
    // What a test has left behind may hold the pipes open.
    child.on('exit', (code, signal) => (closing = setTimeout(end, 2000, code, signal)));
  });
}

function tell({ file, seconds, code, signal, output }, isAlone) {
  const numbers = /^# \{ total: .*\}$/m.exec(output)?.[0] ?? '';
  const count = (name) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(numbers)?.[1] ?? 0);
  const [passed, failures, skipped] = [count('pass'), count('fail'), count('skip')];
  const isGood = code === 0 && failures === 0 && passed + skipped > 0;
  const failed = isGood ? 0 : Math.max(failures, 1);
  const more = skipped > 0 ? `, ${skipped} skipped` : '';
  console.log(
    `${isGood ? 'ok' : 'NOT OK'} ${file}: ${passed} passed${more}${isGood ? '' : `, ${failed} failed`}, ${seconds.toFixed(1)} s`,
  );
  if (isAlone) console.log(output);
  if (isGood) return { passed, failed };
  const lines = output.split('\n').filter((line) => line && !/^ *ok \d/.test(line));
  if (!isAlone) console.log(lines.join('\n'));
  if (code !== 1) console.log(`${file} ended with ${signal ?? `exit code ${code}`}`);
  return { passed, failed };
}

/** Appends what came of a file and of each of its tests to a file of figures. */
function keep(figures, { file, output }, { passed, failed }) {
  const tests = testsIn(output);
  fs.appendFileSync(figures, `${JSON.stringify({ file, passed, failed, tests })}\n`);
}

/** `{ name, passed, failed }` of each test of a file, by its TAP: a test's lines are indented, its result is not. */
function testsIn(output) {
  const tests = [];
  let [passed, failed] = [0, 0];
  for (const line of output.split('\n')) {
    const [, indent, not, name, directive] =
      /^( *)(not )?ok \d+ - (.*?)(?: # (time=|SKIP|TODO).*)?$/.exec(line) ?? [];
    if (indent === undefined) continue;
    if (indent !== '') {
      if (not) failed += 1;
      else passed += 1;
      continue;
    }
    if (directive !== 'SKIP') tests.push({ name, passed, failed: not ? failed || 1 : 0 });
    [passed, failed] = [0, 0];
  }
  return tests;
}

async function main(names) {
  await compile();
  // What waits most comes first, so that short files fill the end.
  const queue = (names.length > 0 ? names : ['test/e2e', 'test/unit']).flatMap(testsOf);
  const isAlone = queue.length === 1;
  const failed = [];
  const sum = { passed: 0, failed: 0 };
  const since = performance.now();
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const ended = await run(file);
      const result = tell(ended, isAlone);
      if (process.env.MIDCLT_TEST_FIGURES) keep(process.env.MIDCLT_TEST_FIGURES, ended, result);
      sum.passed += result.passed;
      sum.failed += result.failed;
      if (result.failed > 0) failed.push(file);
    }
  };
  await Promise.all(Array.from({ length: JOBS }, worker));
  for (const file of failed) console.log(`failed: ${file}`);
  const minutes = (performance.now() - since) / 60_000;
  console.log(`${sum.passed} passed, ${sum.failed} failed in ${minutes.toFixed(1)} minutes`);
  if (sum.passed === 0) console.log('no test ran');
  process.exitCode = failed.length > 0 || sum.passed === 0 ? 1 : 0;
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exit(1);
});
