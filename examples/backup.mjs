#!/usr/bin/env node
// Saves a NAS's configuration, and keeps the newest of those saved before: backup.sh as a program.
//
//   NAS_URI=wss://nas.example/api/current NAS_USER=backup NAS_KEY=/root/nas.key node backup.mjs /var/backups/nas
//
// Exit codes: 0 it is saved; 1 it is not, and what was there is as it was; 2 wrong usage.
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { connect } from 'midclt';

/** The file gets its name when it is whole: the body's stream fails if the job that writes it does. */
async function save(nas, file) {
  const partial = `${file}.part`;
  try {
    const { body } = await nas.download('config.save', [{ secretseed: true }]);
    await pipeline(body, createWriteStream(partial, { mode: 0o600 }));
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
}

/** Removes all but the newest. Their names sort by date. */
async function rotate(directory, keep) {
  const saved = (await readdir(directory)).filter((name) => /^config-\w+\.tar$/.test(name));
  for (const name of saved.sort().reverse().slice(keep)) {
    await rm(join(directory, name));
    console.log(`removed ${join(directory, name)}`);
  }
}

async function main(directory, keep) {
  const { NAS_URI: uri, NAS_USER: username, NAS_KEY: apiKey } = process.env;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, `config-${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}.tar`);
  const nas = await connect({ uri, username, apiKey });
  try {
    await save(nas, file);
  } finally {
    await nas.close();
  }
  console.log(`saved ${file}`);
  await rotate(directory, keep);
}

const [directory, keep = '14'] = process.argv.slice(2);
if (directory === undefined) {
  console.error('usage: backup.mjs DIRECTORY [KEEP]');
  process.exitCode = 2;
} else {
  await main(directory, Number(keep)).catch((error) => {
    console.error(`backup: ${error.message}`);
    process.exitCode = 1;
  });
}
