#!/usr/bin/env node
// Tells of alerts and of pools whose status changes: prints a line, or runs a command with that line as its last argument.
//
//   NAS_URI=wss://nas.example/api/current NAS_USER=watcher NAS_KEY=/root/nas.key node watch.mjs notify-send NAS
//
// It waits for a NAS that is down or restarts, and then tells what has changed meanwhile. Ctrl-C ends it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'midclt';

const { NAS_URI: uri, NAS_USER: username, NAS_KEY: apiKey, RETRY_SECONDS = '10' } = process.env;
const command = process.argv.slice(2);

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());
const { signal } = stop;

/** By the name of an event, and of the method that lists what it is about: what to say of each, by its id. */
const WATCHED = {
  'alert.list': ({ uuid, level, formatted }) => [uuid, `${level}: ${formatted}`],
  'pool.query': ({ id, name, status }) => [id, `pool ${name} is ${status}`],
};

/** Errors of a connection that will be made anew. */
const PASSING = ['LOST', 'CLOSED', 'TIMEOUT'];

async function tell(line) {
  if (command.length === 0) {
    console.log(line);
    return;
  }
  const [program, ...args] = command;
  await once(spawn(program, [...args, line], { stdio: 'inherit' }), 'exit');
}

/** An event says that there is something new; what it is, the list says, which also has what was missed. */
async function watch(nas, name, describe) {
  let known = new Map();
  const look = async () => {
    try {
      const now = new Map((await nas.call(name, [], { signal })).map(describe));
      for (const [id, line] of now) if (known.get(id) !== line) await tell(line);
      for (const [id, line] of known) if (!now.has(id)) await tell(`over: ${line}`);
      known = now;
    } catch (error) {
      if (!PASSING.includes(error.code)) throw error; // when it is connected again, there is a gap in the events
    }
  };
  let looking = Promise.resolve();
  const lookAgain = () => (looking = looking.then(look));
  const follow = async () => {
    for await (const _event of nas.subscribe(name, { signal })) await lookAgain();
  };
  await Promise.all([follow(), lookAgain()]); // subscribed first: nothing happens unseen in between
}

/** The first connection; once there is one, it heals by itself. */
async function connectPatiently() {
  for (;;) {
    try {
      return await connect({ uri, username, apiKey, signal });
    } catch (error) {
      if (error.code !== 'CONNECT') throw error;
      console.error(`watch: ${error.message}; trying again in ${RETRY_SECONDS} s`);
      await delay(Number(RETRY_SECONDS) * 1000, undefined, { signal });
    }
  }
}

try {
  const nas = await connectPatiently();
  try {
    await Promise.all(Object.entries(WATCHED).map((each) => watch(nas, ...each)));
  } finally {
    await nas.close();
  }
} catch (error) {
  if (!signal.aborted) {
    console.error(`watch: ${error.message}`);
    process.exitCode = 1;
  }
}
