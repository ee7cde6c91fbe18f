/** Runs every `console` block of the documents, and compares what it prints. `...` is any text. */
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { startDaemon } from '../../support/daemon.js';
import { pattern } from '../../support/examples.js';
import { BINARY, missing, shell } from '../../support/midclt.js';
import { ROOT } from '../../support/root.js';

interface Example {
  readonly command: string;
  readonly output: string;
}

function examplesOf(document: string): Example[] {
  const text = fs.readFileSync(path.join(ROOT, document), 'utf8');
  const examples: Example[] = [];
  for (const [, block = ''] of text.matchAll(/^```console\n(.*?)^```$/gms)) {
    for (const part of block.split(/^\$ /m).slice(1)) {
      const newline = part.indexOf('\n');
      examples.push({ command: part.slice(0, newline), output: part.slice(newline + 1) });
    }
  }
  return examples;
}

async function runAll(t: Test, document: string, least: number): Promise<void> {
  const daemon = await startDaemon(t);
  const bin = `${daemon.home}/bin`;
  fs.mkdirSync(bin);
  fs.writeFileSync(`${bin}/midclt`, `#!/bin/sh\nexec "${process.execPath}" "${BINARY}" "$@"\n`, {
    mode: 0o755,
  });
  const examples = examplesOf(document);
  t.ok(examples.length >= least, `${examples.length} examples`);
  for (const { command, output } of examples) {
    const lacking = missing(...['nc', 'socat'].filter((tool) => command.includes(` ${tool} `)));
    if (lacking) {
      t.comment(`skipped, ${lacking}: ${command}`);
      continue;
    }
    const run = await shell(`{ ${command}\n} 2>&1`, {
      home: daemon.home,
      env: { PATH: `${bin}:${process.env.PATH ?? ''}`, U: daemon.uri, SOCK: daemon.socket },
    });
    t.match(run.stdout, pattern(output), command);
  }
}

t.test('the examples of the protocol print what they say', (t) =>
  runAll(t, 'docs/PROTOCOL.md', 10),
);

t.test('the examples of the README print what they say', (t) => runAll(t, 'README.md', 10));

t.test('the examples of the profiles print what they say', (t) =>
  runAll(t, 'docs/PROFILES.md', 10),
);
