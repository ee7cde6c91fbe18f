/** `service …`: a daemon that systemd starts at the first call, for the user who runs this. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { MidcltError, publicText, shellWord, unwritable } from '../../errors.js';
import type { Arguments } from '../args/arguments.js';
import { sayLine, writeOut } from '../output/output.js';
import { unitsOf, type Unit, type Units } from './service-units.js';

/** systemd ends a service within TimeoutStopSec. */
const PATIENCE = 120_000;

/** Returns the exit code. */
export function serviceCommand(args: Arguments): number {
  const units = unitsOf(args, process.env);
  switch (args.name) {
    case 'service install':
      return args.print ? print(units) : install(units);
    case 'service remove':
      return remove(units);
    default:
      return status(units);
  }
}

function print({ socket, service }: Units): number {
  const each = [socket, service].map(({ path: file, text }) => `# ${file}\n${text}`);
  writeOut(Buffer.from(each.join('\n')));
  return 0;
}

function install({ system, socket, service }: Units): number {
  needSystemd(system);
  const old = [socket, service].map(textOf);
  const isNew = old.every((text) => text === null);
  const isSame = old[0] === socket.text && old[1] === service.text;
  if (!isSame) {
    // What was bound by the old unit goes with it. Calls under way are finished.
    if (!isNew) stop(socket, service);
    for (const unit of [socket, service]) {
      write(unit);
      tell(`Wrote ${unit.path}`);
    }
    systemctl('daemon-reload');
  }
  systemctl('enable', '--now', socket.name);
  tell(`Enabled ${socket.name}: the first call starts the daemon`);
  tell(`Try it: midclt -p ${system} -d ping`);
  return 0;
}

function remove(units: Units): number {
  const { system, socket, service } = units;
  if (textOf(socket) === null && textOf(service) === null) {
    sayLine(`No service is installed for ${system}; it would be ${socket.path}`);
    return 1;
  }
  const reason = whyNoSystemd();
  if (reason === null) {
    systemctl('disable', '--now', socket.name);
    systemctl('stop', service.name);
    tell(`Stopped ${socket.name} and ${service.name}`);
  }
  const wanted = path.join(path.dirname(socket.path), 'sockets.target.wants', socket.name);
  for (const file of [wanted, socket.path, service.path]) {
    if (!fs.lstatSync(file, { throwIfNoEntry: false })) continue;
    fs.rmSync(file);
    tell(`Removed ${file}`);
  }
  if (reason === null) systemctl('daemon-reload');
  else sayLine(`${reason}, so nothing was stopped: 'midclt -p ${system} daemon-stop' does`);
  return 0;
}

function status({ system, socket, service, needs }: Units): number {
  const install = `'midclt -p ${system} service install'`;
  const old = textOf(service);
  if (textOf(socket) === null || old === null) {
    sayLine(`No service is installed for ${system}: ${install} does that`);
    return 1;
  }
  needSystemd(system);
  const [isEnabled, ...active] = [
    ask('is-enabled', socket.name),
    ask('is-active', socket.name),
    ask('is-active', service.name),
  ];
  tell(`${socket.name}: ${isEnabled}, ${active[0]}`);
  tell(`${service.name}: ${active[1]}`);
  const gone = [...old.matchAll(/^AssertPathExists=(.*)$/gm)]
    .map(([, file = '']) => file.replaceAll('%%', '%'))
    .find((file) => !fs.existsSync(file));
  if (gone !== undefined)
    sayLine(`It can't start, since ${gone} is gone: ${install} puts that right`);
  else if (old !== service.text || textOf(socket) !== socket.text)
    sayLine(`It is not for ${needs.join(' ')} as it is now: ${install} makes it so`);
  return gone === undefined && active[0] === 'active' ? 0 : 1;
}

function tell(line: string): void {
  writeOut(Buffer.from(`${line}\n`));
}

function textOf({ path: file }: Unit): string | null {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** In one piece, since systemd may be reading. There is no secret in it. */
function write({ path: file, text }: Unit): void {
  const draft = `${file}.${process.pid}`;
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 });
    fs.writeFileSync(draft, text, { mode: 0o644 });
    fs.renameSync(draft, file);
  } catch (error) {
    fs.rmSync(draft, { force: true });
    throw unwritable(file, error);
  }
}

function stop(socket: Unit, service: Unit): void {
  systemctl('stop', socket.name, service.name);
}

/** Throws a `FILES` error, with what to do, where systemd runs nothing for this user. */
function needSystemd(system: string): void {
  const reason = whyNoSystemd();
  if (reason === null) return;
  const instead = `'midclt -p ${system} daemon --detach' starts the daemon without it`;
  throw new MidcltError('FILES', `${reason}; ${instead}`);
}

/** Null: it answers. */
function whyNoSystemd(): string | null {
  const { error, status, stderr } = run('show', '--property=Version');
  if (error) return `There is no systemd here (${publicText(error)})`;
  if (status === 0) return null;
  const [said = ''] = stderr.trim().split('\n');
  return `systemd runs nothing for this user until you log in directly, not by su or sudo (${said})`;
}

/** What it says of a unit, in a word. */
function ask(...args: string[]): string {
  return run(...args).stdout.trim() || 'unknown';
}

/** Throws a `FILES` error with what it says where it fails. */
function systemctl(...args: string[]): void {
  const { error, status, stderr } = run(...args);
  if (!error && status === 0) return;
  const command = ['systemctl', '--user', ...args].map(shellWord).join(' ');
  const [said] = stderr.trim().split('\n');
  throw new MidcltError('FILES', `'${command}' failed: ${said || publicText(error)}`);
}

function run(...args: string[]) {
  return spawnSync('systemctl', ['--user', ...args], { encoding: 'utf8', timeout: PATIENCE });
}
