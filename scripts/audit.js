'use strict';
// Asks the registry for known holes of the packages in the lock file, as `npm audit` does, and tells which of them have code
// in the program:
//
//   npm run audit
//
// Exits with 1 if one of those has a hole, with 2 if the registry does not answer. Packages for development alone are named.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const NOTICES = path.join(root, 'dist/THIRD_PARTY_NOTICES');

const read = (file) => fs.readFileSync(file, 'utf8');

/** `NAME VERSION` of each package whose code is in the program. */
function bundled() {
  return new Set([...read(NOTICES).matchAll(/^(\S+ \d\S*) \(.*\)$/gm)].map(([, name]) => name));
}

/** `{ name, severity, title, url, range, versions }` of each hole. Throws what the registry says if that is no answer. */
function holes() {
  const args = ['audit', '--json', '--package-lock-only'];
  const { stdout } = spawnSync('npm', args, { cwd: root, encoding: 'utf8' });
  const answer = JSON.parse(stdout || '{}');
  if (!answer.vulnerabilities) throw new Error(answer.message ?? 'npm audit says nothing');
  const { packages } = JSON.parse(read(path.join(root, 'package-lock.json')));
  return Object.values(answer.vulnerabilities).flatMap(({ name, nodes, via }) =>
    // What is a string is a package that has a hole only by another one.
    via
      .filter((each) => typeof each === 'object')
      .map(({ severity, title, url, range }) => {
        const versions = nodes.map((node) => packages[node].version);
        return { name, severity, title, url, range, versions: [...new Set(versions)] };
      }),
  );
}

function main() {
  const ours = bundled();
  if (ours.size === 0) throw new Error(`${NOTICES} names no package`);
  let found;
  try {
    found = holes();
  } catch (error) {
    console.error(`Not audited: ${error.message}`);
    return 2;
  }
  let affected = 0;
  for (const { name, severity, title, url, range, versions } of found) {
    const isOurs = versions.some((version) => ours.has(`${name} ${version}`));
    if (isOurs) affected += 1;
    const where = isOurs ? 'in the program' : 'for development alone';
    console.log(
      `${name} ${versions.join(', ')} (${where}): ${severity}, ${range}: ${title} ${url}`,
    );
  }
  const others = found.length - affected;
  console.log(`${ours.size} packages in the program, ${affected} known holes; ${others} in others`);
  return affected > 0 ? 1 : 0;
}

process.exitCode = main();
