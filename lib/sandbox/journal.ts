import * as fs from 'node:fs';
import { dump } from './python/dump.js';
import { dict, int, type PyValue } from './python/values.js';

/** A file of the calls that were run, a JSON line each: whole and in its place even if the process is killed. */
export class Journal {
  private file: number | null;

  /** Appends to the file. Throws the system's error. */
  constructor(path: string) {
    this.file = fs.openSync(path, 'a', 0o600);
  }

  /** To be called before the call is run. Logins lose their secrets. */
  record(method: string, params: PyValue[], connection: number): void {
    if (this.file === null) return;
    const shown = method.startsWith('auth.') ? {} : { params };
    fs.writeSync(this.file, `${dump(dict({ method, ...shown, connection: int(connection) }))}\n`);
  }

  close(): void {
    if (this.file !== null) fs.closeSync(this.file);
    this.file = null;
  }
}
