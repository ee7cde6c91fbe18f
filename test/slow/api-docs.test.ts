/** Runs every `js` block of docs/API.md and docs/TESTING.md, and compares what it prints with the `text` block after it. */
import fs from 'node:fs';
import path from 'node:path';
import t from 'tap';
import * as api from '../../lib/index.js';
import * as kit from '../../lib/sandbox/kit/index.js';
import { runScript } from '../support/api.js';
import { startDaemon, surroundings } from '../support/daemon.js';
import { pattern } from '../support/examples.js';
import { makeHome } from '../support/midclt.js';
import { ROOT } from '../support/root.js';

const [TEXT, TESTING] = ['API', 'TESTING'].map((name) =>
  fs.readFileSync(path.join(ROOT, `docs/${name}.md`), 'utf8'),
) as [string, string];

interface Example {
  readonly heading: string;
  readonly code: string;
  readonly output: string;
}

function examples(document = TEXT): Example[] {
  const found = document.matchAll(/^```js\n(.*?)^```\n\n```text\n(.*?)^```$/gms);
  return [...found].map((match) => ({
    heading: [...document.slice(0, match.index).matchAll(/^#+ (.*)$/gm)].at(-1)?.[1] ?? '',
    code: match[1] ?? '',
    output: match[2] ?? '',
  }));
}

t.test('every js block has its output', async (t) => {
  t.equal(examples().length, [...TEXT.matchAll(/^```js$/gm)].length);
  t.ok(examples().length >= 15);
  t.equal(examples(TESTING).length, [...TESTING.matchAll(/^```js$/gm)].length);
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

t.test('every export of the testing kit is in its document', async (t) => {
  const shown = examples(TESTING).map(({ code }) => code);
  for (const name of Object.keys(kit))
    t.ok(
      shown.some((code) => new RegExp(`\\b${name}\\b`).test(code)),
      name,
    );
});

for (const { heading, code, output } of examples(TESTING)) {
  t.test(`the example of ${heading} prints what it says`, async (t) => {
    const run = await runScript(code, makeHome(t));
    t.match(run.stdout, pattern(output));
    t.equal(run.code, 0);
  });
}

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
