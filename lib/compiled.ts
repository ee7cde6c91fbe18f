/**
 * A script's functions as V8 compiled them, in a file beside the script: Python's `__pycache__`. To
 * compile them one by one takes longer than to run them.
 *
 * The file is a line that names the Node it is for, the script's text, and V8's data. V8 itself knows a
 * text by its length alone, and of the Node only the version: data of another build of it could crash.
 */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Script } from 'node:vm';

/** What a bundle for {@link load} is: one function of CommonJS's parameters. */
type Main = (...commonJs: readonly unknown[]) => void;

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
  const head = Buffer.concat([Buffer.from(`${thisNode()}\n`), source]);
  const cachedData = read(cache, head);
  const script = new Script(source.toString('latin1'), {
    filename,
    ...(cachedData && { cachedData }),
  });
  return {
    main: script.runInThisContext() as Main,
    wasCompiled: script.cachedDataRejected === false,
    keep: () => {
      write(cache, Buffer.concat([head, script.createCachedData()]));
    },
  };
}

/** A file is taken for the one it was by what `make` goes by, too. */
function thisNode(): string {
  const { execPath, version, arch } = process;
  const { size, mtimeMs } = statSync(execPath);
  return `${version} ${arch} ${execPath} ${size} ${mtimeMs}`;
}

function read(file: string, head: Buffer): Buffer | undefined {
  try {
    const content = readFileSync(file);
    return content.subarray(0, head.length).equals(head)
      ? content.subarray(head.length)
      : undefined;
  } catch {
    return undefined;
  }
}

/** In one piece: others may be reading it. */
function write(file: string, content: Buffer): void {
  const draft = `${file}.${process.pid}`;
  try {
    writeFileSync(draft, content);
    renameSync(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
}
