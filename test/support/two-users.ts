/** Two users of one machine, neither root nor each other: one who works, and one who attacks. Only root can. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';
import { BINARY, environment, finished, type Finished } from './midclt.js';

/** They need not be in the password database. */
const VICTIM = 64_001;
const ATTACKER = 64_002;

export interface Way {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly input?: string;
}

export interface Person {
  readonly uid: number;
  /** A directory of this user's, which all may enter, as on many systems. */
  readonly home: string;
  /** A shell command line of this user's, in which `midclt` is the program. */
  readonly spawn: (command: string, way?: Way) => ChildProcessWithoutNullStreams;
  readonly sh: (command: string, way?: Way) => Promise<Finished>;
}

export interface TwoUsers {
  readonly victim: Person;
  readonly attacker: Person;
  /** A folder that all share, as /tmp is. */
  readonly shared: string;
  /** A copy of the program, which belongs to root. */
  readonly program: string;
}

export function twoUsers(t: Test): TwoUsers {
  const place = fs.mkdtempSync('/tmp/u-');
  t.teardown(() => {
    fs.rmSync(place, { recursive: true, force: true });
  });
  fs.chmodSync(place, 0o755);
  const program = `${place}/program`;
  fs.cpSync(path.dirname(BINARY), program, { recursive: true });
  const shared = `${place}/shared`;
  fs.mkdirSync(shared);
  fs.chmodSync(shared, 0o1777);
  const person = (uid: number, name: string): Person => {
    const home = `${place}/${name}`;
    fs.mkdirSync(home, { mode: 0o755 });
    fs.chownSync(home, uid, uid);
    const ids = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
    const start = (command: string, { env = {}, cwd = home }: Way = {}) => {
      const line = `unset NODE_OPTIONS; midclt() { "$NODE" "$PROGRAM/midclt.js" "$@"; }; ${command}`;
      const variables = { NODE: process.execPath, PROGRAM: program, MIDCLT_AUTOSTART: '1', ...env };
      const child = spawn('setpriv', [...ids, 'sh', '-c', line], {
        env: environment(home, variables),
        cwd,
        detached: true,
      });
      t.teardown(() => {
        try {
          process.kill(-(child.pid ?? NaN), 'SIGKILL');
        } catch {
          // it has ended
        }
      });
      return child;
    };
    return { uid, home, spawn: start, sh: (line, way) => finished(start(line, way), way?.input) };
  };
  const victim = person(VICTIM, 'victim');
  t.teardown(() => victim.sh('midclt daemon-stop --all'));
  return { victim, attacker: person(ATTACKER, 'attacker'), shared, program };
}

/** All files below a directory, links not followed. */
export function filesBelow(directory: string): string[] {
  return fs.readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const file = `${directory}/${entry.name}`;
    return entry.isDirectory() ? [file, ...filesBelow(file)] : [file];
  });
}

/** Tries with each path what its user must not be able to do; prints, as JSON, what could be done. */
const TRIES = `
const fs = require('fs'), net = require('net');
const done = [], waits = [];
const attempt = (what, path, act) => { try { act(); done.push(what + ' ' + path); } catch {} };
for (const path of JSON.parse(process.argv[1])) {
  attempt('read', path, () => fs.closeSync(fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)));
  attempt('write', path, () => fs.closeSync(fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK)));
  attempt('list', path, () => fs.readdirSync(path));
  attempt('make', path, () => fs.writeFileSync(path + '/planted', ''));
  attempt('link', path, () => fs.linkSync(path, process.env.HOME + '/hard' + done.length));
  attempt('rename', path, () => fs.renameSync(path, path + '.away'));
  attempt('remove', path, () => fs.rmSync(path, { recursive: true }));
  waits.push(new Promise((resolve) => {
    const socket = net.connect(path, () => { done.push('connect ' + path); socket.destroy(); resolve(); });
    socket.on('error', resolve);
  }));
}
Promise.all(waits).then(() => console.log(JSON.stringify(done)));
`;

/** What this user can do to these paths. */
export async function triedBy({ sh }: Person, paths: readonly string[]): Promise<string[]> {
  const env = { TRIES, PATHS: JSON.stringify(paths) };
  const { stdout, stderr } = await sh('"$NODE" -e "$TRIES" "$PATHS"', { env });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as string[];
}

const READS = `
const fs = require('fs'), seen = [];
for (const pid of fs.readdirSync('/proc').filter(Number)) {
  try {
    if (fs.statSync('/proc/' + pid).uid !== Number(process.argv[1])) continue;
    const seenHere = { pid, cmdline: fs.readFileSync('/proc/' + pid + '/cmdline', 'latin1'), open: [] };
    for (const file of ['environ', 'fd', 'maps', 'mem', 'cwd', 'map_files', 'stack', 'syscall']) {
      try {
        const path = '/proc/' + pid + '/' + file;
        if (fs.lstatSync(path).isDirectory()) fs.readdirSync(path);
        else if (fs.lstatSync(path).isSymbolicLink()) fs.readlinkSync(path);
        else if (fs.readSync(fs.openSync(path, 'r'), Buffer.alloc(1)) === 0) continue;
        seenHere.open.push(file);
      } catch {}
    }
    seen.push(seenHere);
  } catch {}
}
console.log(JSON.stringify(seen));
`;

export interface Seen {
  readonly pid: string;
  readonly cmdline: string;
  /** Which of its files in /proc could be read that have secrets. */
  readonly open: readonly string[];
}

/** What this user sees of another's processes. */
export async function seenBy({ sh }: Person, whose: Person): Promise<Seen[]> {
  const env = { READS, WHOSE: `${whose.uid}` };
  const { stdout, stderr } = await sh('"$NODE" -e "$READS" "$WHOSE"', { env });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as Seen[];
}
