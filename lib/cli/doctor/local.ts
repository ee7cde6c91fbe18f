/** What `doctor` looks at on this machine: Node, this program, and what in the environment changes how they run. */
import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs';
import { shellWord, systemReason } from '../../errors.js';
import { EXTRA_CA_CERTS } from '../../login/variables.js';
import { VERSION } from '../../protocol/frames.js';
import { isNodeTooOld, LEAST_NODE } from '../compiled.js';
import { knowsUnixSockets } from '../shell/init.js';
import { failed, ok, warning, type Check, type Context, type Found } from './check.js';

export const localChecks: readonly Check[] = [
  { name: 'node', look: () => nodeVersion(process.versions.node, process.execPath) },
  { name: 'midclt', look: program },
  { name: 'node-options', look: ({ env }) => nodeOptions(env.NODE_OPTIONS ?? '') },
  { name: 'extra-ca-certs', look: extraCertificates },
  { name: 'launcher', look: launcher },
];

export function nodeVersion(version: string, path: string): Found {
  if (!isNodeTooOld(version)) return ok(`Node ${version}, ${path}`);
  const least = LEAST_NODE.join('.');
  return failed(
    `Node ${version} (${path}) is too old: ${least} or newer is needed; https://nodejs.org/en/download has one for every system`,
    'npm install -g node@22',
  );
}

function program({ env }: Context): Found {
  const path = realpathSync(process.argv[1] ?? '.');
  const text = `${VERSION}, ${path}`;
  const first = inPath('midclt', env);
  if (first === null)
    return ok(
      `${text}; no 'midclt' is in PATH, so commands that are told to be typed need its path`,
    );
  // npm's link leads to the launcher, which lies beside the program.
  const directory = (file: string) => file.slice(0, file.lastIndexOf('/'));
  if (directory(realpathSync(first)) === directory(path)) return ok(`${text}, in PATH as ${first}`);
  return warning(
    `${text}; 'midclt' in PATH is another program, ${first}`,
    `alias midclt=${shellWord(process.argv[1] ?? '')}`,
  );
}

/** The file that a shell would run, or null. */
function inPath(name: string, { PATH = '' }: NodeJS.ProcessEnv): string | null {
  for (const directory of PATH.split(':')) {
    const file = `${directory || '.'}/${name}`;
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      // not there
    }
  }
  return null;
}

/** Options of Node, and what they do to a program that is started for each call. */
const HARMFUL: readonly (readonly [RegExp, string])[] = [
  [/^--inspect/, "opens a debugger's port, one at a time"],
  [/^(?:-r|--require|--import|--loader|--experimental-loader)$/, 'loads more at each start'],
  [
    /^--(?:max-old-space-size|max-heap-size|max_old_space_size)$/,
    'bounds the memory of the daemon, too',
  ],
  [/^--(?:jitless|no-opt|prof|cpu-prof|heap-prof|trace-.*)$/, 'makes it slower'],
  [/^--use-(?:openssl|system)-ca$/, "reads the system's certificates at each start over wss:"],
];

export function nodeOptions(text: string): Found {
  if (text.trim() === '') return ok('NODE_OPTIONS is not set');
  // Only names: a value may be anything.
  const names = text.split(/\s+/).map((word) => word.split('=', 1)[0] ?? '');
  const harm = names.flatMap((name) => {
    const why = HARMFUL.find(([pattern]) => pattern.test(name))?.[1];
    return why === undefined ? [] : [`${name} ${why}`];
  });
  if (harm.length === 0) return ok('NODE_OPTIONS is set, and does no harm');
  return warning(`NODE_OPTIONS: ${harm.join('; ')}`, 'unset NODE_OPTIONS');
}

function extraCertificates({ env }: Context): Found {
  // The launcher keeps it under another name.
  const file = env.NODE_EXTRA_CA_CERTS || env[EXTRA_CA_CERTS] || '';
  if (file === '') return ok('NODE_EXTRA_CA_CERTS is not set');
  const name = `NODE_EXTRA_CA_CERTS=${shellWord(file)}`;
  const unset = 'unset NODE_EXTRA_CA_CERTS';
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (error) {
    return warning(
      `${name} cannot be read, and Node goes without it: ${systemReason(error)}`,
      unset,
    );
  }
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const { X509Certificate } = require('node:crypto') as typeof import('node:crypto');
  const isWrong = (pem: string) => {
    try {
      return new X509Certificate(pem).raw.length === 0;
    } catch {
      return true;
    }
  };
  const wrong = found.filter(isWrong).length;
  if (found.length === 0) return warning(`${name} has no certificate in it (PEM)`, unset);
  const count = `${found.length} certificate${found.length === 1 ? '' : 's'}`;
  if (wrong > 0) return warning(`${name}: ${wrong} of ${count} cannot be read`, unset);
  return ok(`${name}: ${count}; it makes each start of Node slower but for calls with -d`);
}

/** In the order in which the launcher looks for them. */
function launcher({ env }: Context): Found {
  for (const name of ['nc.openbsd', 'socat']) {
    const file = inPath(name, env);
    if (file !== null) return ok(`fast calls with -d go through ${file}`);
  }
  const nc = inPath('nc', env);
  if (nc !== null && knowsUnixSockets(nc)) return ok(`fast calls with -d go through ${nc}`);
  const why = nc === null ? 'neither nc nor socat is in PATH' : `${nc} knows no Unix sockets (-U)`;
  return warning(
    `${why}: calls with -d work, and each starts Node`,
    process.platform === 'linux' ? 'sudo apt install netcat-openbsd' : 'brew install socat',
  );
}
