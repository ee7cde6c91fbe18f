'use strict';
// The licences of the packages whose code is in the bundles, as those packages state them.
const fs = require('node:fs');
const path = require('node:path');

/** The folders of the packages that took part in the builds. */
function packagesIn(root, metafiles) {
  const folders = metafiles
    .flatMap(({ outputs }) => Object.values(outputs))
    .flatMap(({ inputs }) => Object.entries(inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .flatMap(([input]) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(input)?.[0] ?? []);
  return [...new Set(folders)].sort().map((folder) => path.join(root, folder));
}

/** A package without a file of its licence says at least which it is, and whose. */
function noticeOf(folder) {
  const manifest = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const { name, version, author, licenses } = manifest;
  const license = manifest.license ?? licenses?.map(({ type }) => type).join(' or ');
  if (!license) throw new Error(`${name} says nothing of its licence`);
  const files = fs.readdirSync(folder).filter((file) => /^(?:licen[cs]e|notice)/i.test(file));
  const texts = files.map((file) => fs.readFileSync(path.join(folder, file), 'utf8').trim());
  if (texts.length === 0) texts.push(`By ${author?.name ?? author}. It has no other notice.`);
  return `${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`.replaceAll('\r', '');
}

/** Throws for a package without a licence. */
function notices(root, metafiles) {
  const rule = `\n${'-'.repeat(80)}\n\n`;
  const each = [...new Set(packagesIn(root, metafiles).map(noticeOf))].sort();
  return `This package contains code of these packages, under their licences.\n${rule}${each.join(rule)}`;
}

module.exports = { notices };
