'use strict';
// docs/PROOF.md, made of the rows of docs/FAILURES.md and of what tests, random inputs and soak came to.

/** The numbers that a test's name has: `F21, F24` are two, `F16–F27` twelve. */
function numbersIn(name) {
  const numbers = [];
  for (const [, from, to] of name.matchAll(/\bF(\d+)(?:–F(\d+))?/g)) {
    for (let number = Number(from); number <= Number(to ?? from); number += 1) numbers.push(number);
  }
  return numbers;
}

/** `{ number, happens, promise }` of each row. */
function rowsOf(failures) {
  return [...failures.matchAll(/^\| F(\d+) +\| (.*?) +\| (.*?) +\|$/gm)].map(
    ([, number, happens, promise]) => ({ number: Number(number), happens, promise }),
  );
}

function table(head, rows) {
  const line = (cells) =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const count = (number) => number.toLocaleString('en', { maximumFractionDigits: 1 });

function where({ date, commit, node, processors, memory, system }) {
  return `${date}, ${commit ? `commit ${commit}, ` : ''}Node ${node.replace('v', '')}, ${processors}, ${memory}, ${system}`;
}

/** The tests that make a failure happen, by file. */
function testsOf(number, files) {
  return files
    .map(({ file, tests }) => ({
      file,
      tests: tests.filter(({ name }) => numbersIn(name).includes(number)),
    }))
    .filter(({ tests }) => tests.length > 0);
}

function sumOf(files, key) {
  return files.flatMap(({ tests }) => tests).reduce((sum, test) => sum + test[key], 0);
}

function failureModes(tests, failures) {
  const rows = rowsOf(failures).map((row) => ({ ...row, files: testsOf(row.number, tests.files) }));
  const cells = rows.map(({ number, happens, promise, files }) => {
    const figure = `${count(sumOf(files, 'passed'))} passed, ${sumOf(files, 'failed')} failed`;
    const links = files.map(
      ({ file, tests: { length } }) =>
        `[${short(file)}](../${file})${length > 1 ? ` ×${length}` : ''}`,
    );
    return [`[F${number}](#f${number})`, happens, promise, links.join(', '), figure];
  });
  const names = rows.map(({ number, files }) =>
    [
      `### F${number}`,
      ...files.map(({ file, tests: each }) =>
        [
          `\`${short(file)}\``,
          ...each.map(({ name }) => `- ${name.replace(/[<>*_`\\[\]]/g, '\\$&')}`),
        ].join('\n'),
      ),
    ].join('\n\n'),
  );
  return {
    table: table(['number', 'what happens', 'what `midclt` does', 'tests', 'last figure'], cells),
    names,
  };
}

function short(file) {
  return file.replace(/^test\//, '').replace(/\.test\.ts$/, '');
}

function testsText(tests, modes) {
  const nodes = (tests.nodes ?? []).map(
    ({ node, passed, failed }) => `${node} ${count(passed)} passed, ${failed} failed`,
  );
  return `## Failure modes

One run of \`npm test\` and \`npm run test:slow\`: **${count(tests.passed)} assertions passed, ${count(tests.failed)} failed**. (${where(tests)})
${tests.remark ?? ''}
${nodes.length > 0 ? `The core of the tests under other Nodes: ${nodes.join('; ')}.` : ''}

Assertions of the tests whose names have the number:

${modes}`;
}

function fuzzText(fuzz) {
  const rows = fuzz.targets.map(({ name, inputs, failed, seed, seconds }) => [
    name,
    count(inputs),
    failed ? '**yes**' : 'no',
    seed,
    `${Math.round(seconds)} s`,
  ]);
  const sum = fuzz.targets.reduce((total, { inputs }) => total + inputs, 0);
  return `## Random inputs

\`npm run fuzz -- INPUTS\`: **${count(sum)} inputs**, made by fast-check. What is right is said by others where there are others: Python's json, pprint and argparse,
JSON.parse, the protocol's own rules. What failed once is tried first in every run. (${where(fuzz)})

${table(['what', 'inputs', 'failed', 'seed', 'time'], rows)}`;
}

function steadyText(steady) {
  const good = steady.runs.filter(({ failed }) => failed.length === 0).length;
  const rows = steady.runs.map(({ commit, node, passed, failed, load }, i) => [
    i + 1,
    commit,
    node,
    load.toFixed(1),
    count(passed),
    failed.map(short).join(', ') || 'none',
  ]);
  return `## Again and again

\`npm run proof -- steady\`: the whole of \`npm test\`${steady.busy > 0 ? ' beside busy processes' : ', whatever else the machine did; its load is that of the five minutes before the end'}. **${good} of ${steady.runs.length} runs without a failure.** (${where(steady)})

${table(['run', 'commit', 'Node', 'load', 'passed', 'failed files'], rows)}${steady.remark ? `\n\n${steady.remark}` : ''}`;
}

function soakText(soak) {
  const text = (value) =>
    value !== null && typeof value === 'object'
      ? Object.entries(value)
          .map(([key, each]) => `${key} ${text(each)}`)
          .join(', ')
      : typeof value === 'number'
        ? count(value)
        : String(value);
  const keys = [...new Set(soak.runs.flatMap(Object.keys))].filter(
    (key) => !['name', 'seed', 'seconds', 'faults'].includes(key),
  );
  const rows = keys.map((key) => [
    key,
    ...soak.runs.map((run) => (key in run ? text(run[key]) : '')),
  ]);
  const head = ['', ...soak.runs.map(({ name }) => name ?? '')];
  const { seconds, seed, faults = {} } = soak.runs.at(-1) ?? {};
  const happened = Object.entries(faults).map(([name, times]) => [name, count(times)]);
  return `## A fault a second

\`npm run soak\` for ${count(seconds ?? 0)} s, seed ${seed}: clients of all kinds work while things go wrong; afterwards what they have read is held against what the server has seen. (${where(soak)})

${table(head, rows)}

${[soak.remark, happened.length > 0 && table(['fault', 'times'], happened)].filter(Boolean).join('\n\n')}`;
}

/** The text of docs/PROOF.md. `remark`s are what a person has to say of a run. A kind that was never run has no part. */
function page(kept, failures) {
  const { tests, fuzz, soak, steady } = kept;
  const modes = tests && failureModes(tests, failures);
  const parts = [
    `# What was shown

Written by \`npm run proof\` from the tests' own names and the figures of their last run. How each is run: \`scripts/proof.js\`.
Who can do what to whom, and what holds against it: [SECURITY.md](../SECURITY.md).`,
    tests && testsText(tests, modes.table),
    fuzz && fuzzText(fuzz),
    soak && soakText(soak),
    steady && steadyText(steady),
    tests && `## The tests by name\n\n${modes.names.join('\n\n')}`,
  ];
  return `${parts.filter(Boolean).join('\n\n')}\n`;
}

module.exports = { page };
