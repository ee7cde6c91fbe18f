/** Talks to a daemon's socket line by line, and looks at what reached the sandbox. */
import fs from 'node:fs';
import net from 'node:net';
import type { Test } from 'tap';
import type { Sandbox } from '../../lib/sandbox/index.js';
import { BINARY, shell, until, type Finished } from './midclt.js';

export type Frame = Record<string, unknown>;

/** One connection to a daemon, its write side open until `end`. */
export interface Conversation {
  /** Every complete line so far. */
  readonly lines: readonly string[];
  /** Whether the daemon has ended its side. */
  readonly ended: () => boolean;
  readonly send: (text: string | Buffer) => void;
  /** The next line, as it came. */
  readonly line: () => Promise<string>;
  /** The next line, parsed. */
  readonly frame: () => Promise<Frame>;
  /** Reads up to the next final frame; the last of them is that one. */
  readonly answer: () => Promise<Frame[]>;
  /** Half-closes. */
  readonly end: () => void;
  readonly destroy: () => void;
}

/** Opens a connection, which the test's end closes. */
export async function converse(t: Test, path: string): Promise<Conversation> {
  const socket = net.connect({ path, allowHalfOpen: true });
  const lines: string[] = [];
  let chunks: Buffer[] = [];
  let ended = false;
  let read = 0;
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    if (!chunk.includes(10)) return;
    const parts = Buffer.concat(chunks).toString().split('\n');
    chunks = [Buffer.from(parts.pop() ?? '')];
    lines.push(...parts);
  });
  socket.on('end', () => (ended = true));
  socket.on('error', () => (ended = true));
  t.teardown(() => socket.destroy());
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  const line = async (): Promise<string> => {
    await until('a line from the daemon', () => {
      if (lines.length > read) return true;
      if (ended) throw new Error(`the daemon ended the connection after ${read} lines`);
      return false;
    });
    read += 1;
    return lines[read - 1]!;
  };
  const frame = async (): Promise<Frame> => JSON.parse(await line()) as Frame;
  return {
    lines,
    ended: () => ended,
    send: (text) => socket.write(text),
    line,
    frame,
    answer: async () => {
      const frames: Frame[] = [];
      do frames.push(await frame());
      while (frames.at(-1)?.type === 'progress');
      return frames;
    },
    end: () => socket.end(),
    destroy: () => socket.destroy(),
  };
}

export const PING = '{"command":"ping"}\n';

/** The line of a call whose params are given as JSON text. */
export function call(method: string, params = '[]', kwargs?: object, more: object = {}): string {
  const extra = Object.entries({ ...(kwargs ? { kwargs } : {}), ...more });
  const members = extra.map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`);
  return `{"command":"call","method":"${method}","params":${params}${members.join('')}}\n`;
}

/** The line that makes the sandbox answer exactly `text` as its result. */
export function raw(text: string): string {
  return call('test.raw', `[${JSON.stringify(text)}]`);
}

/** A result frame's `result` as it is spelled there. */
export function resultOf(line: string): string {
  return /^\{"type": ?"result", ?"result": ?(.*)\}$/s.exec(line)?.[1] ?? `no result: ${line}`;
}

/** The `params` texts of the sandbox's messages for a method, oldest first. */
export function paramsOf(sandbox: Sandbox, method: string): string[] {
  return sandbox.received
    .filter((message) => message.includes(`"${method}"`))
    .map((message) => topMember(message, 'params'));
}

/** The text of a top-level member of an object, found by its own scan. */
function topMember(text: string, name: string): string {
  let depth = 0;
  let start = -1;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === '"') {
      const from = i;
      for (i += 1; text[i] !== '"'; i += 1) if (text[i] === '\\') i += 1;
      const found = depth === 1 && text.slice(from, i + 1) === JSON.stringify(name);
      if (start < 0 && found) {
        const colon = /^\s*:\s*/.exec(text.slice(i + 1));
        if (colon) {
          i += colon[0].length;
          start = i + 1;
        }
      }
    } else if (char === '[' || char === '{') depth += 1;
    else if (char === ']' || char === '}') depth -= 1;
    const done = (depth === 1 && text[i + 1] === ',') || text[i + 1] === '}';
    if (start >= 0 && i >= start && depth === 1 && done) return text.slice(start, i + 1).trimEnd();
  }
  return `no ${name}: ${text}`;
}

/** Runs a command line in which `midclt` is `midclt -u URI -d`. */
export function shellWithMidclt(
  command: string,
  { home, uri }: { home: string; uri: string },
  input = '',
): Promise<Finished> {
  const run = `midclt() { "$NODE" "$BINARY" -u "$URI" -d "$@"; }; ${command}`;
  return shell(run, { home, env: { NODE: process.execPath, BINARY, URI: uri }, input });
}

/** A process's resident memory now, in MB; Linux only. */
export function residentMegabytes(pid: number): number {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s*(\d+) kB/.exec(status)?.[1]) / 1024;
}
