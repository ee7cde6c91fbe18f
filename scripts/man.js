'use strict';
// Writes the manual pages into dist/man: of the words of the command line, and of docs/PROTOCOL.md.
const fs = require('node:fs');
const path = require('node:path');
const { sections } = require('./man/markdown.js');
const { daemon, midclt } = require('./man/pages.js');
const { head, request } = require('./man/roff.js');

const root = path.join(__dirname, '..');
const { version } = require('../package.json');

async function protocol() {
  const text = fs.readFileSync(path.join(root, 'docs/PROTOCOL.md'), 'utf8');
  return [
    request('SH', 'NAME'),
    'midclt\\-protocol \\- the protocol of the socket of the midclt daemon',
    ...(await sections(text)),
    request('SH', 'NOTES'),
    'Lines of examples that are too long for a page are folded;',
    'what goes on is indented.',
    request('SH', 'SEE ALSO'),
    '\\fBmidclt\\fR(1),\n\\fBmidclt\\-daemon\\fR(1),\n\\fBnc\\fR(1),\n\\fBsocat\\fR(1)',
  ];
}

/** The day that the pages name; the same for who builds the same again and says so. */
function today() {
  const seconds = process.env.SOURCE_DATE_EPOCH;
  return new Date(seconds ? Number(seconds) * 1000 : Date.now()).toISOString().slice(0, 10);
}

async function writePages() {
  const directory = path.join(root, 'dist/man');
  fs.mkdirSync(directory, { recursive: true });
  const pages = {
    'midclt.1': midclt(),
    'midclt-daemon.1': daemon(),
    'midclt-protocol.7': await protocol(),
  };
  for (const [file, lines] of Object.entries(pages)) {
    const [name, section] = file.split('.');
    const all = [...head(name, section, today(), `midclt ${version}`), ...lines];
    // A section begins with a paragraph by itself.
    const text = all
      .filter((line, i) => line !== '.PP' || !/^\.S[HS] /.test(all[i - 1]))
      .join('\n');
    fs.writeFileSync(path.join(directory, file), `${text}\n`);
  }
}

module.exports = { writePages };

if (require.main === module) {
  writePages().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
