/** Runs every `js` block of docs/API.md and compares what it prints with the `text` block after it. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import * as api from '../../../lib/index.js';
import { runScript } from '../../support/api.js';
import { startDaemon, surroundings } from '../../support/daemon.js';
import { pattern } from '../../support/examples.js';
import { ROOT } from '../../support/root.js';

const TEXT = fs.readFileSync(path.join(ROOT, 'docs/API.md'), 'utf8');

interface Example {
  readonly heading: string;
  readonly code: string;
  readonly output: string;
}

function examples(): Example[] {
  const found = TEXT.matchAll(/^```js\n(.*?)^```\n\n```text\n(.*?)^```$/gms);
  return [...found].map((match) => ({
    heading: [...TEXT.slice(0, match.index).matchAll(/^#+ (.*)$/gm)].at(-1)?.[1] ?? '',
    code: match[1] ?? '',
    output: match[2] ?? '',
  }));
}

t.test('every js block has its output', async (t) => {
  t.equal(examples().length, [...TEXT.matchAll(/^```js$/gm)].length);
  t.ok(examples().length >= 15);
});

t.test('every export is in the document, in an example or a table', async (t) => {
  const shown = examples().map(({ code }) => code);
  const rows = TEXT.split('\n').filter((line) => line.startsWith('|'));
  for (const name of Object.keys(api)) {
    t.ok(
      [...shown, ...rows].some((text) => new RegExp(`\\b${name}\\b`).test(text)),
      name,
    );
  }
});

for (const { heading, code, output } of examples()) {
  t.test(`the example of ${heading} prints what it says`, async (t) => {
    const around = await surroundings(t);
    if (!code.includes('runDaemon(')) await startDaemon(t, { around });
    const run = await runScript(
      code.replaceAll('ws+unix:///tmp/box.sock', around.uri),
      around.home,
    );
    t.match(run.stdout, pattern(output));
    t.equal(run.code, 0);
  });
}
