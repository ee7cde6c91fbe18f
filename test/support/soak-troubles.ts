/** What went wrong in a soak and when, by who made it go wrong: what a request may fall victim to, and what it is told with. */
import type { FileHandle } from 'node:fs/promises';
import fs from 'node:fs/promises';
import net from 'node:net';

/**
 * Something that ends what the server knows (`kill`) or the connection to it (`loss`), that keeps clients from the
 * daemon (`crowd`), the daemon from everything (`halt`), has the daemon end (`end`), or ends it without a word (`death`).
 */
export type Trouble = 'kill' | 'loss' | 'crowd' | 'halt' | 'end' | 'death';

/** Milliseconds after a trouble in which a request may still fall victim to it: somebody has to notice. */
export const AFTERMATH = 2000;

interface Incident {
  readonly what: string;
  readonly from: number;
  /** Infinity while it goes on. */
  to: number;
}

/** Incidents that are told with a violation, at most: the last ones. */
const TOLD = 6;

export class Troubles {
  private readonly incidents = new Map<Trouble, Incident[]>();
  /** By their names, whatever trouble they are. */
  private readonly faults: Incident[] = [];

  /** Makes such trouble: what is under way meanwhile, or soon after, may fall victim to it. */
  async during(kinds: readonly Trouble[], act: () => Promise<void> | void): Promise<void> {
    const begun = kinds.map((kind) => this.begin(kind));
    await act();
    for (const incident of begun) incident.to = performance.now();
  }

  /** Does what has a name, to the process `pid`. */
  async undergo(what: string, pid: number, act: () => Promise<void> | void): Promise<void> {
    const incident = { what: `${what}, daemon ${pid}`, from: performance.now(), to: Infinity };
    this.faults.push(incident);
    await act();
    incident.to = performance.now();
  }

  /** How often there was such trouble. */
  count(kind: Trouble): number {
    return this.incidents.get(kind)?.length ?? 0;
  }

  /** Has there been such trouble in the time from `before` milliseconds ahead of `since` to `until`? */
  happened(kind: Trouble, since: number, before = AFTERMATH, until = Infinity): boolean {
    const all = this.incidents.get(kind) ?? [];
    // The last ones come last.
    return all.some(({ from, to }) => to + before >= since && from <= until);
  }

  /** The faults since then, in milliseconds from then, for who has to explain what came of it. */
  tell(since: number): string {
    const at = (time: number) => (time === Infinity ? '' : Math.round(time - since));
    return this.faults
      .filter(({ to }) => to + 2 * AFTERMATH >= since)
      .slice(-TOLD)
      .map(({ what, from, to }) => `${what} at ${at(from)}…${at(to)}`)
      .join('; ');
  }

  /** Such trouble begins now, or has begun then; returns what ends it. */
  begin(what: Trouble, from = performance.now()): Incident {
    const incident = { what, from, to: Infinity };
    const all = this.incidents.get(what);
    if (all) all.push(incident);
    else this.incidents.set(what, [incident]);
    return incident;
  }
}

/** Milliseconds between two looks of a witness, and those after which it says that there was no sign of life. */
const LOOK = 250;
const PROMPT = 1000;

/**
 * Asks a daemon again and again for a sign of life, over a connection of its own each time, and notes it as a `halt` when
 * none comes soon: whatever held it up, its process, this one or the machine.
 */
export async function watchForHalts(
  socketPath: string,
  troubles: Troubles,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    const since = performance.now();
    const halts: Incident[] = [];
    const late = setTimeout(() => halts.push(troubles.begin('halt', since)), LOOK + PROMPT);
    await new Promise((resolve) => setTimeout(resolve, LOOK));
    await new Promise<void>((resolve) => {
      const socket = net.connect(socketPath);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        resolve();
      });
      socket.on('data', () => socket.destroy());
      socket.write('{"command":"ping","close":true}\n');
    });
    clearTimeout(late);
    for (const halt of halts) halt.to = performance.now();
  }
}

/** Bytes of a log's end that are looked at, and lines of it that are told. */
const TAIL = 256 * 1024;
const LINES = 12;

/** The last lines of a daemon's log, from `since` (a Date's milliseconds) on; it may have been taken away. */
export async function logSince(file: string, since: number): Promise<string> {
  const lines: string[] = [];
  for (const each of [`${file}.moved`, file]) {
    let opened: FileHandle | null = null;
    try {
      opened = await fs.open(each);
      const { size } = await opened.stat();
      const { buffer } = await opened.read(Buffer.alloc(TAIL), 0, TAIL, Math.max(0, size - TAIL));
      lines.push(...buffer.toString().replaceAll('\0', '').split('\n').slice(1));
    } catch {
      // It was removed.
    } finally {
      await opened?.close();
    }
  }
  const isRecent = (line: string) =>
    Date.parse(/^\{"time":"([^"]+)"/.exec(line)?.[1] ?? '') >= since;
  return lines.filter(isRecent).slice(-LINES).join(' ').slice(-3000);
}
