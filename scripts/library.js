'use strict';
// The library, 'midclt' and 'midclt/sandbox'. Its code is in the program's bundles, full.js and sandbox.js: the package has one copy.
// dist/lib, which tsc writes of every source, is for tests.
const fs = require('node:fs');
const path = require('node:path');
const { preProcessFile } = require('typescript');

/** Of a bundle: what the program opens in it, and what of it is the library. */
const SHARED = {
  full: { program: 'lib/cli/full', library: 'lib/index' },
  sandbox: { program: 'lib/cli/commands/sandbox', library: 'lib/sandbox/kit/index' },
};

/** What esbuild makes a shared bundle of: neither half runs before somebody asks for it. */
function entryOf(name) {
  const halves = Object.entries(SHARED[name]);
  return halves
    .map(([half, file]) => `exports.${half} = () => require('./${file}.ts');`)
    .join('\n');
}

/** The file that `exports` of package.json names. Its own exports are written out, since ES modules import them by name. */
function writeDoor(dist, name) {
  const { library } = SHARED[name];
  const names = Object.keys(require(path.join(dist, `${library}.js`)));
  const lines = names.map((each) => `exports.${each} = library.${each};`);
  const text = `'use strict';\nconst library = require('../bin/${name}.js').library();\n${lines.join('\n')}\n`;
  const door = path.join(dist, 'api', `${name === 'full' ? 'index' : name}.js`);
  fs.mkdirSync(path.dirname(door), { recursive: true });
  fs.writeFileSync(door, text);
}

/** Copies the declarations that the library's own need, and no other. */
function copyTypes(dist) {
  const seen = new Set();
  const visit = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = fs.readFileSync(path.join(dist, file), 'utf8');
    const copy = path.join(dist, 'types', path.relative('lib', file));
    fs.mkdirSync(path.dirname(copy), { recursive: true });
    fs.writeFileSync(copy, text);
    for (const { fileName } of preProcessFile(text).importedFiles) {
      if (!fileName.startsWith('.')) continue;
      visit(path.join(path.dirname(file), fileName.replace(/\.js$/, '.d.ts')));
    }
  };
  for (const { library } of Object.values(SHARED)) visit(`${library}.d.ts`);
}

function writeLibrary(dist) {
  for (const name of Object.keys(SHARED)) writeDoor(dist, name);
  copyTypes(dist);
}

module.exports = { entryOf, writeLibrary };
