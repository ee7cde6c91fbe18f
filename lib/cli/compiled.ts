/**
 * A script's functions as V8 compiled them, in a file beside the script: Python's `__pycache__`. To
 * compile them one by one takes longer than to run them.
 *
 * The file is a line that names the Node it is for, the script's text, and V8's data, twice. V8 itself knows
 * a text by its length alone, and of the Node only the version: data of another build of it could crash.
 * Damaged data does, or never ends; to compare two copies takes no time, as a checksum would.
 */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Script } from 'node:vm';

/** What package.json asks for. */
export const LEAST_NODE = [20, 19] as const;

export function isNodeTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor, leastMinor] = LEAST_NODE;
  return major < leastMajor || (major === leastMajor && minor < leastMinor);
}

/** A CommonJS module, as Node itself makes a function of it. */
type Main = (...commonJs: readonly unknown[]) => void;

const BEFORE = '(function (exports, require, module, __filename, __dirname) {';
const AFTER = '\n})';

export interface Loaded {
  readonly main: Main;
  /** Was it compiled already? */
  readonly wasCompiled: boolean;
  /** Keeps what is compiled by now, for the next time. Throws where it can't be written. */
  readonly keep: () => void;
}

/** Throws if the script can't be read; whatever is wrong with its cache, it runs without. */
export function load(filename: string): Loaded {
  const cache = filename.replace(/js$/, 'cache');
  const source = readFileSync(filename);
  const node = nodeLine();
  const cachedData = node && read(cache, node, source);
  const script = new Script(BEFORE + source.toString('latin1') + AFTER, {
    filename,
    ...(cachedData && { cachedData }),
  });
  return {
    main: script.runInThisContext() as Main,
    wasCompiled: script.cachedDataRejected === false,
    keep: () => {
      if (!node) throw new Error(`Cannot tell which Node ${process.execPath} is`);
      const data = script.createCachedData();
      write(cache, Buffer.concat([node, source, data, data]));
    },
  };
}

/** A file is taken for the one it was by what `make` goes by, too. None for a Node that can't be looked at. */
function nodeLine(): Buffer | undefined {
  const { execPath, version, arch } = process;
  try {
    const { size, mtimeMs } = statSync(execPath);
    return Buffer.from(`${version} ${arch} ${execPath} ${size} ${mtimeMs}\n`);
  } catch {
    return undefined; // where there is no /proc, Node does not know its own path
  }
}

function read(file: string, node: Buffer, source: Buffer): Buffer | undefined {
  try {
    const content = readFileSync(file);
    const start = node.length + source.length;
    if (!content.subarray(0, node.length).equals(node)) return undefined;
    if (!content.subarray(node.length, start).equals(source)) return undefined;
    const half = (start + content.length) / 2;
    const data = content.subarray(start, half);
    return content.subarray(half).equals(data) ? data : undefined;
  } catch {
    return undefined;
  }
}

/** Whoever can write to it runs code as those who start the program: whatever the umask is, that is nobody else. */
const MODE = 0o644;

/** In one piece: others may be reading it. */
function write(file: string, content: Buffer): void {
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, content, { flush: true, mode: MODE });
    renameSync(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
}
