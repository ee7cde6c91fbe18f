/** Whether systemd, or whatever is process 1 of a container, runs a daemon: it is for that to end and start it. */
import fs from 'node:fs';

/** Of the process `pid`, with its environment as it was when it was started. */
export function isManaged(pid: number, env: NodeJS.ProcessEnv): boolean {
  const own = String(pid);
  if (pid === 1 || env.LISTEN_PID === own || env.SYSTEMD_EXEC_PID === own) return true;
  // Before systemd 248; what a service's processes start in turn has the variable, too.
  return Boolean(env.INVOCATION_ID) && nameOfParent(pid) === 'systemd';
}

/** The same of another process of this user; false where the system does not show it. */
export function isOtherManaged(pid: number): boolean {
  try {
    const entries = fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    const pairs = entries.map((entry) => /^([^=]*)=(.*)$/s.exec(entry)?.slice(1) ?? [entry, '']);
    return isManaged(pid, Object.fromEntries(pairs) as NodeJS.ProcessEnv);
  } catch {
    return false;
  }
}

function nameOfParent(pid: number): string | null {
  try {
    // The name before it, in parentheses, may hold any character.
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '');
    return fs.readFileSync(`/proc/${stat.split(' ')[1] ?? ''}/comm`, 'latin1').trim();
  } catch {
    return null;
  }
}
