'use strict';
// Runs what shows that midclt keeps its promises, and writes docs/PROOF.md of what came of it:
//
//   npm run proof                    the page alone, from the figures in test/proof.json
//   npm run proof -- tests           npm test, test:slow and test:nodes
//   npm run proof -- fuzz INPUTS     random inputs
//   npm run proof -- soak SECONDS    a fault a second
//   npm run proof -- steady RUNS [BUSY]   npm test again and again beside so many busy processes, under each Node
//   npm run proof -- --check         changes nothing; fails where the page is not what it would write
//
// The figures of one kind are those of its last whole run; each has its commit, machine and date.
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const prettier = require('prettier');
const { page } = require('./proof/page.js');
const { installed, precompile } = require('./test-nodes.js');

const root = path.join(__dirname, '..');
const KEPT = path.join(root, 'test/proof.json');
const PAGE = path.join(root, 'docs/PROOF.md');
/** Keeps a processor busy until stdin ends, also when this process is killed. */
const SPIN = `
process.stdin.on('end', () => process.exit()).resume();
const spin = () => {
  for (const end = Date.now() + 50; Date.now() < end;);
  setImmediate(spin);
};
spin();`;
/** Busy processes beside the tests of `steady`, on as many processors as there are. */
const LOAD = 4;

const script = (name) => path.join(__dirname, name);

/** Runs a script of this package with a file for its figures: `{ isGood, lines, machine }`. */
function run(args, variable, { env = {}, node = process.execPath } = {}) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'proof-'));
  const figures = path.join(directory, 'figures');
  fs.writeFileSync(figures, '');
  const machine = machineOf(node);
  const { status } = spawnSync(node, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env, [variable]: figures },
  });
  const lines = fs.readFileSync(figures, 'utf8').split('\n').filter(Boolean).map(JSON.parse);
  fs.rmSync(directory, { recursive: true });
  return { isGood: status === 0, lines, machine };
}

function machineOf(node) {
  const [{ model }] = os.cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commitNow(),
    node: spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim(),
    processors: `${os.cpus().length} × ${model}`,
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    system: os.type(),
  };
}

function commitNow() {
  const args = ['rev-parse', '--short=8', 'HEAD'];
  return spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout.trim();
}

function sumOf(rows, key) {
  return rows.reduce((sum, row) => sum + row[key], 0);
}

const RUNS = {
  async tests(_args, keep) {
    const names = [['test/e2e', 'test/unit'], ['test/slow']];
    const runs = names.map((files) => run([script('test.js'), ...files], 'MIDCLT_TEST_FIGURES'));
    const files = runs.flatMap(({ lines }) => lines);
    const underEach = installed().map(({ name, node }) => {
      const args = [script('test-nodes.js'), name.replace('node', '')];
      const { lines } = run(args, 'MIDCLT_TEST_FIGURES');
      const version = machineOf(node).node;
      return { node: version, passed: sumOf(lines, 'passed'), failed: sumOf(lines, 'failed') };
    });
    await keep({
      ...runs[0].machine,
      passed: sumOf(files, 'passed'),
      failed: sumOf(files, 'failed'),
      nodes: underEach,
      files: files
        .map(({ file, tests }) => ({ file, tests: tests.filter(({ name }) => /F\d/.test(name)) }))
        .filter(({ tests }) => tests.length > 0)
        .sort((one, other) => (one.file < other.file ? -1 : 1)),
    });
  },

  async fuzz([inputs = '1000000'], keep) {
    const { lines, machine } = run([script('fuzz.js'), inputs], 'MIDCLT_FUZZ_FIGURES');
    await keep({ ...machine, targets: lines });
  },

  async soak([seconds = '3600'], keep) {
    const { lines, machine } = run([script('soak.js'), seconds], 'MIDCLT_SOAK_FIGURES');
    await keep({ ...machine, runs: lines });
  },

  /** Keeps what there is after each run: it takes hours. */
  async steady([times = '20', busy = String(LOAD)], keep) {
    const nodes = installed();
    const machine = machineOf(process.execPath);
    const spinning = Array.from({ length: Number(busy) }, () =>
      spawn(process.execPath, ['-e', SPIN], { stdio: ['pipe', 'ignore', 'ignore'] }),
    );
    const runs = [];
    try {
      for (let i = 0; i < Number(times); i += 1) {
        const { node, env } = nodes[i % nodes.length];
        precompile(node);
        const { lines } = run([script('test.js')], 'MIDCLT_TEST_FIGURES', { env, node });
        runs.push({
          commit: commitNow(),
          node: machineOf(node).node,
          passed: sumOf(lines, 'passed'),
          failed: lines.filter(({ failed }) => failed > 0).map(({ file }) => file),
          load: os.loadavg()[1],
        });
        await keep({ ...machine, busy: Number(busy), runs });
      }
    } finally {
      for (const each of spinning) each.kill(); // this process would not end before they do
    }
    precompile(process.execPath);
  },
};

async function formatted(file, text) {
  const options = await prettier.resolveConfig(file);
  return prettier.format(text, { ...options, filepath: file });
}

function textOf(kept) {
  const failures = fs.readFileSync(path.join(root, 'docs/FAILURES.md'), 'utf8');
  return formatted(PAGE, page(kept, failures));
}

async function main([what, ...args]) {
  const kept = fs.existsSync(KEPT) ? JSON.parse(fs.readFileSync(KEPT, 'utf8')) : {};
  if (what !== undefined && what !== '--check') {
    if (!Object.hasOwn(RUNS, what))
      throw new Error(`There is no '${what}': ${Object.keys(RUNS).join(', ')}`);
    await RUNS[what](args, async (figures) => {
      kept[what] = figures;
      fs.writeFileSync(KEPT, await formatted(KEPT, JSON.stringify(kept)));
      fs.writeFileSync(PAGE, await textOf(kept)); // a test of the next run looks at it
    });
  }
  const text = await textOf(kept);
  if (what !== '--check') return fs.writeFileSync(PAGE, text);
  if (fs.existsSync(PAGE) && fs.readFileSync(PAGE, 'utf8') === text) return;
  throw new Error('docs/PROOF.md is not what its figures say: npm run proof');
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
