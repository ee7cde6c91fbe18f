/** Pid files. */
import { readFileSync } from 'node:fs';

/** The pid in a pid file, or null. */
export function readPid(file: string): number | null {
  try {
    const text = readFileSync(file, 'latin1').trim();
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
  } catch {
    return null;
  }
}

/** Of the daemon whose socket this is, from the pid file beside it; null if that tells none. */
export function pidBeside(socketPath: string): number | null {
  return readPid(socketPath.replace(/\.sock$/, '.pid'));
}
