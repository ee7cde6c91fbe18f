'use strict';
// Writes the tables of documents that stand between <!-- words: NAME --> and <!-- end -->, of the words of the command line.
//
//   node scripts/docs.js [--check]     --check changes nothing, and names the documents that are not as they should be
const fs = require('node:fs');
const path = require('node:path');
const prettier = require('prettier');

const root = path.join(__dirname, '..');
const from = (file) => require(path.join(root, 'dist/lib/cli/words', file));
const { argumentUsage, allGlobals, COMMAND_WORDS } = from('words.js');
const { EXIT_CODES, VARIABLES } = from('surroundings.js');

const DOCUMENTS = ['docs/USAGE.md'];

/** What a column of terms has above it, and its rows. */
const TABLES = {
  commands: () =>
    Object.entries(COMMAND_WORDS).map(([name, { summary }]) => [
      code([name, ...argumentUsage(name)].join(' ')),
      summary,
    ]),
  options: () =>
    allGlobals().map(({ names, value, text }) => [
      code(names.join(', ') + (value ? ` ${value.name}` : '')),
      text,
    ]),
  environment: () => VARIABLES.map(([name, meaning]) => [code(name), meaning]),
  'exit-codes': () => EXIT_CODES,
};

function table(name) {
  const rows = TABLES[name]?.();
  if (!rows) throw new Error(`There are no words for a table '${name}'`);
  const lines = rows.map(([term, meaning]) => `| ${cell(term)} | ${cell(typed(meaning))} |`);
  return [
    `| ${name === 'environment' ? 'variable' : name.replace(/s$/, '')} | |`,
    '| --- | --- |',
    ...lines,
  ].join('\n');
}

function code(text) {
  return `\`${text}\``;
}

/** What stands in quotes to be typed. */
function typed(text) {
  return text.replace(/(?<!\w)'([^\s'][^']*)'(?!\w)/g, (_, words) => code(words));
}

function cell(text) {
  return text.replaceAll('|', '\\|');
}

const MARKED = /(<!-- words: ([\w-]+) -->\n).*?(<!-- end -->)/gs;

async function written(file) {
  const text = fs.readFileSync(file, 'utf8');
  const filled = text.replace(
    MARKED,
    (_, start, name, end) => `${start}\n${table(name)}\n\n${end}`,
  );
  const options = await prettier.resolveConfig(file);
  return { text, filled: await prettier.format(filled, { ...options, filepath: file }) };
}

async function main(isCheck) {
  for (const name of DOCUMENTS) {
    const file = path.join(root, name);
    const { text, filled } = await written(file);
    if (text === filled) continue;
    if (!isCheck) fs.writeFileSync(file, filled);
    else {
      console.error(`The tables of ${name} are not what the words say; 'npm run docs' writes them`);
      process.exitCode = 1;
    }
  }
}

main(process.argv.includes('--check')).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
