/**
 * The units by which systemd starts a system's daemon at its first call. Each system has two of its own: where its socket is
 * can't be derived from its name in a template.
 */
import path from 'node:path';
import { MidcltError, MISTAKE } from '../../errors.js';
import { daemonPaths, profilesPath } from '../../files/paths.js';
import { CA_FILE, CERTIFICATE_PATHS } from '../../login/variables.js';
import { LOCAL } from '../../profiles/profile.js';
import type { Arguments } from '../args/arguments.js';

export interface Unit {
  /** Such as `midclt@nas1.socket`. */
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

export interface Units {
  /** The profile's name, or `local`. */
  readonly system: string;
  readonly socket: Unit;
  readonly service: Unit;
  /** What the service runs: Node and the program. */
  readonly needs: readonly string[];
}

/** What a daemon must find in its environment to be that of the calls, and to log in as they would. */
const DIRECTORIES = ['MIDCLT_HOME', 'XDG_CONFIG_HOME'];
/** Of files that may be named from where one is. */
const CERTIFICATES = [CA_FILE, ...CERTIFICATE_PATHS];

/** Throws a `REQUEST` error where the command line is for what is no profile. */
export function unitsOf(
  { profile, uri, username }: Pick<Arguments, 'profile' | 'uri' | 'username'>,
  env: NodeJS.ProcessEnv,
): Units {
  const system = profile ?? LOCAL;
  if (system === LOCAL && uri !== null) {
    throw new MidcltError(
      'REQUEST',
      `A service is for a system that has a name: 'midclt login NAME' gives it one, then 'midclt -p NAME service install'`,
    );
  }
  const stem = system === LOCAL ? 'midclt' : `midclt@${system}`;
  // The user's own configuration is where the profiles are.
  const directory = path.join(path.dirname(profilesPath(env)), '../systemd/user');
  const unit = (kind: string, text: string) => {
    const name = `${stem}.${kind}`;
    return { name, path: path.join(directory, name), text };
  };
  const needs = [process.execPath, path.resolve(process.argv[1] ?? '')];
  const call = `midclt -p ${system} service`;
  return {
    system,
    needs,
    socket: unit('socket', socketText(system, call, daemonPaths(uri, username).socket)),
    service: unit('service', serviceText(system, call, needs, env)),
  };
}

function socketText(system: string, call: string, socket: string): string {
  return `\
# Written by '${call} install'; '${call} remove' takes it away.
[Unit]
Description=midclt daemon for ${system} (socket)

[Socket]
ListenStream=${percent(socket)}
SocketMode=0600
DirectoryMode=0700
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
`;
}

function serviceText(
  system: string,
  call: string,
  needs: readonly string[],
  env: NodeJS.ProcessEnv,
): string {
  const variables = [...DIRECTORIES, ...CERTIFICATES].flatMap((name) => {
    const value = env[name];
    if (!value) return [];
    const absolute = CERTIFICATES.includes(name) ? path.resolve(value) : value;
    return `Environment=${word(`${name}=${absolute}`)}`;
  });
  const command = [...needs, '-p', system, 'daemon'].map(commandWord).join(' ');
  return `\
# Written by '${call} install'. Once Node or midclt has moved, run that again.
[Unit]
Description=midclt daemon for ${system}
Requires=midclt${system === LOCAL ? '' : `@${system}`}.socket
After=midclt${system === LOCAL ? '' : `@${system}`}.socket
${needs.map((file) => `AssertPathExists=${percent(file)}`).join('\n')}

[Service]
ExecStart=${command}
${variables.map((line) => `${line}\n`).join('')}\
Restart=on-failure
RestartSec=5
# Not after a bug of midclt: the next call starts it.
RestartPreventExitStatus=${MISTAKE}
# Calls under way are finished before it goes.
TimeoutStopSec=90
NoNewPrivileges=yes
LimitCORE=0
UMask=0077
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
`;
}

/** systemd replaces `%h` and the like. */
function percent(text: string): string {
  return text.replaceAll('%', '%%');
}

function word(text: string): string {
  return `"${percent(text).replace(/["\\]/g, '\\$&')}"`;
}

/** In a command `$NAME` is replaced, too. The first word can't be quoted before systemd 244. */
function commandWord(text: string): string {
  const escaped = percent(text).replaceAll('$', '$$$$');
  return /^[\w./@%+:=,$-]+$/.test(escaped) ? escaped : `"${escaped.replace(/["\\]/g, '\\$&')}"`;
}
