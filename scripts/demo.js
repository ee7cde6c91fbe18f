'use strict';
// The main job, start to end, against the sandbox: every command is shown, then run in a real
// shell, and prints what it prints. Works in a directory of its own and leaves nothing behind.
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const BINARY = path.join(__dirname, '../dist/bin/midclt.js');

const home = fs.mkdtempSync('/tmp/midclt-');
const tools = path.join(home, 'bin');
fs.mkdirSync(tools);
fs.symlinkSync(BINARY, path.join(tools, 'midclt'));
const env = { ...process.env, HOME: home, PATH: `${tools}:${process.env.PATH}` };
for (const name of Object.keys(env)) if (name.startsWith('MIDCLT_')) delete env[name]; // they stand in for options
delete env.NODE_EXTRA_CA_CERTS; // Node 20 reads it at every start, which takes longer than the call

const children = [];
const say = (text) => process.stdout.write(`${text}\n`);

/** Shows a command, runs it, and resolves with its exit code. */
function run(command) {
  say(`\n$ ${command}`);
  return new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', command], { env, cwd: home, stdio: 'inherit' });
    child.on('close', resolve);
  });
}

/** Shows a command that stays in the background and resolves when it has printed its first line. */
function start(command) {
  say(`\n$ ${command} &`);
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', `exec ${command}`], {
      env,
      cwd: home,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    child.stdout.once('data', (text) => {
      process.stdout.write(text);
      resolve();
    });
    child.once('close', (code) => reject(new Error(`'${command}' ended with exit code ${code}`)));
  });
}

function has(tool) {
  return spawnSync('/bin/sh', ['-c', `command -v ${tool}`], { env }).status === 0;
}

async function main() {
  const uri = 'ws+unix://$HOME/truenas.sock';
  await start(`midclt sandbox --unix $HOME/truenas.sock`);
  await start(`midclt -u ${uri} daemon`);
  const failed = [];
  const expectSuccess = async (command) => {
    if ((await run(command)) !== 0) failed.push(command);
  };
  await expectSuccess(`midclt -u ${uri} -d call system.version`);
  await expectSuccess(
    `midclt -u ${uri} -d call pool.query '[["name", "=", "tank"]]' '{"select": ["id", "name", "status"]}'`,
  );
  say('\n# a job: -j waits for it and shows its progress on stderr');
  await expectSuccess(`midclt -u ${uri} -d call -j pool.scrub 1`);
  say('\n# requests as NDJSON, straight to the socket of the daemon');
  const requests =
    `{"command": "call", "method": "system.hostname", "id": 1}\\n` +
    `{"command": "call", "method": "system.ready", "id": 2}\\n`;
  if (has('socat')) {
    await expectSuccess(
      `printf '${requests}' | socat -t 86400 - UNIX:$(echo $HOME/.midclt/*.sock)`,
    );
  } else {
    say('# (socat is not installed here; a few lines of Node do the same)');
    const client =
      "const s=require('net').connect(process.argv[1]);process.stdin.pipe(s);s.pipe(process.stdout)";
    await expectSuccess(`printf '${requests}' | node -e "${client}" $(echo $HOME/.midclt/*.sock)`);
  }
  await expectSuccess(`midclt -u ${uri} daemon-stop`);
  if (failed.length > 0) throw new Error(`failed: ${failed.join('; ')}`);
  say('\nDone. One connection to the middleware served every call above.');
}

function cleanUp() {
  for (const child of children) {
    child.removeAllListeners('close');
    child.kill('SIGTERM');
  }
  fs.rmSync(home, { recursive: true, force: true });
}

process.on('SIGINT', () => {
  cleanUp();
  process.exit(130);
});
main().then(cleanUp, (error) => {
  cleanUp();
  console.error(`demo: ${error.message}`);
  process.exitCode = 1;
});
