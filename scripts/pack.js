'use strict';
// npm's `prepack` and `postpack`: what is packed is built now, and has no `prepare`, of which npm warns those who install it.
const fs = require('node:fs');
const path = require('node:path');
const { build, withoutPrepare } = require('./prepare.js');

const root = path.join(__dirname, '..');
const manifest = path.join(root, 'package.json');
const original = path.join(root, 'dist/package.json.original');

// Also after a run that was cut short.
if (fs.existsSync(original)) fs.renameSync(original, manifest);
if (process.argv[2] === 'before') {
  const failure = build('npm pack');
  if (failure) {
    console.error(failure);
    process.exit(1);
  }
  fs.copyFileSync(manifest, original);
  fs.writeFileSync(manifest, withoutPrepare(fs.readFileSync(manifest, 'utf8')));
}
