/** Runs every `console` block of the documents, and compares what it prints. `...` is any text. */
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon } from '../../support/daemon.js';
import { examplesOf, pattern } from '../../support/examples.js';
import { BINARY, missing, shell } from '../../support/midclt.js';
import { ROOT } from '../../support/root.js';

async function runAll(t: Test, document: string, least: number): Promise<void> {
  const daemon = await startDaemon(t);
  const bin = `${daemon.home}/bin`;
  fs.mkdirSync(bin);
  fs.writeFileSync(`${bin}/midclt`, `#!/bin/sh\nexec "${process.execPath}" "${BINARY}" "$@"\n`, {
    mode: 0o755,
  });
  const examples = examplesOf(fs.readFileSync(path.join(ROOT, document), 'utf8'));
  t.ok(examples.length >= least, `${examples.length} examples`);
  let setting = '';
  for (const { command, output } of examples) {
    const lacking = missing(
      ...['nc', 'socat', 'jq'].filter((tool) => command.includes(` ${tool} `)),
    );
    if (lacking) {
      t.comment(`skipped, ${lacking}: ${command}`);
      continue;
    }
    const run = await shell(`{ ${setting}${command}\n} 2>&1`, {
      home: daemon.home,
      env: { PATH: `${bin}:${process.env.PATH ?? ''}`, U: daemon.uri, SOCK: daemon.socket },
    });
    t.match(run.stdout, pattern(output), command);
    if (command.startsWith('SOCK=')) setting = `unset SOCK; ${command}\n`; // counts for those after it
  }
}

t.test('the examples of the protocol print what they say', (t) =>
  runAll(t, 'docs/PROTOCOL.md', 10),
);

t.test('the examples of the README print what they say', (t) => runAll(t, 'README.md', 5));

t.test('the examples of the usage print what they say', (t) => runAll(t, 'docs/USAGE.md', 20));

t.test('the examples of the profiles print what they say', (t) =>
  runAll(t, 'docs/PROFILES.md', 10),
);

t.test('so do those for who comes from the Python program', (t) =>
  runAll(t, 'docs/MIGRATING.md', 5),
);
