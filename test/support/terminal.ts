/** A pseudo-terminal by script(1), what a person would see on it, and a daemon that says what it is told. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import type { Test } from 'tap';
import { BINARY, environment, makeHome, until } from './midclt.js';

/** What `reflow` is about: xterm cuts lines when it gets narrower, most others break them anew. */
export type OnResize = 'cut' | 'reflow';

interface Row {
  cells: string[];
  /** The row below goes on with the same line. */
  continued: boolean;
}

/**
 * The screen a terminal shows, with all that scrolled off it. Knows what the progress bar may use
 * (CR, LF, BS, and CSI A, B, C, D, G, K) and throws at any other control character. Every code
 * point takes one column.
 */
export class Screen {
  private rows: Row[] = [{ cells: [], continued: false }];
  private x = 0;
  private y = 0;
  private rest = '';

  constructor(private columns: number) {}

  /** Up to the last row that is not blank; blanks at the end of a row do not show. */
  get lines(): string[] {
    const texts = this.rows.map((row) => textOf(row).trimEnd());
    while (texts.at(-1) === '') texts.pop();
    return texts;
  }

  /** Is the cursor where the next command's output would begin a line? */
  get atLineStart(): boolean {
    return this.x === 0 && this.rows.slice(this.y).every((row) => textOf(row).trim() === '');
  }

  write(text: string): void {
    const input = this.rest + text;
    // eslint-disable-next-line no-control-regex
    const token = /\x1b\[([0-9;?]*)([@-~])|\x1b(?:\[[0-9;?]*)?$|([^])/gu;
    this.rest = '';
    for (const [whole, parameter = '', final, char] of input.matchAll(token)) {
      if (char !== undefined) this.character(char);
      else if (final === undefined) this.rest = whole;
      else this.control(parameter, final);
    }
  }

  resize(columns: number, how: OnResize): void {
    this.columns = columns;
    this.x = Math.min(this.x, how === 'cut' ? columns - 1 : Infinity);
    if (how === 'cut')
      for (const row of this.rows) row.cells.length = Math.min(row.cells.length, columns);
    else this.reflow();
  }

  private character(char: string): void {
    if (char === '\r') this.x = 0;
    else if (char === '\n') this.down(false);
    else if (char === '\b') this.x = Math.max(0, this.x - 1);
    else if (/\p{Cc}/u.test(char))
      throw new Error(`written to the terminal: ${JSON.stringify(char)}`);
    else {
      if (this.x === this.columns) {
        this.down(true);
        this.x = 0;
      }
      this.row().cells[this.x] = char;
      this.x += 1; // a full last column wraps with the next character only
    }
  }

  private control(parameter: string, final: string): void {
    const count = Math.max(1, Number(parameter || 1));
    this.x = Math.min(this.x, this.columns - 1);
    if (final === 'A') this.y = Math.max(0, this.y - count);
    else if (final === 'B') this.y = Math.min(this.rows.length - 1, this.y + count);
    else if (final === 'C') this.x = Math.min(this.columns - 1, this.x + count);
    else if (final === 'D') this.x = Math.max(0, this.x - count);
    else if (final === 'G') this.x = Math.min(this.columns, count) - 1;
    else if (final === 'K' && parameter === '2') this.row().cells = [];
    else if (final === 'K' && parameter === '1') this.row().cells.fill(' ', 0, this.x + 1);
    else if (final === 'K' && Number(parameter) === 0) this.row().cells.length = this.x;
    else throw new Error(`written to the terminal: CSI ${parameter}${final}`);
  }

  private down(continued: boolean): void {
    this.row().continued = continued;
    this.y += 1;
    this.row();
  }

  private row(): Row {
    return (this.rows[this.y] ??= { cells: [], continued: false });
  }

  private reflow(): void {
    const { rows } = this;
    this.rows = [];
    let cells: string[] = [];
    let cursor: number | null = null;
    const at = { x: this.x, y: this.y };
    rows.forEach((row, y) => {
      if (y === at.y) cursor = cells.length + at.x;
      cells.push(...Array.from(textOf(row)));
      if (row.continued) return;
      const first = this.rows.length;
      if (cursor !== null) this.y = first + Math.floor(Math.max(0, cursor - 1) / this.columns);
      if (cursor !== null) this.x = cursor - (this.y - first) * this.columns;
      const breaks = Math.max(1, Math.ceil(cells.length / this.columns));
      for (let i = 0; i < breaks; i += 1) {
        const part = cells.slice(i * this.columns, (i + 1) * this.columns);
        this.rows.push({ cells: part, continued: i < breaks - 1 });
      }
      cells = [];
      cursor = null;
    });
  }
}

function textOf({ cells }: Row): string {
  return Array.from(cells, (cell: string | undefined) => cell ?? ' ').join('');
}

export interface TerminalOptions {
  readonly home: string;
  /** Of the terminal; 0 for one that does not tell. */
  readonly columns?: number;
  readonly onResize?: OnResize;
  readonly env?: NodeJS.ProcessEnv;
  /** A shell edits its line there: nothing is drawn on the screen, only kept as it is written. */
  readonly isRaw?: boolean;
}

export interface TerminalRun {
  readonly screen: Screen;
  /** Every byte the program wrote to the terminal. */
  readonly written: () => string;
  /** At the terminal's keyboard. */
  readonly type: (keys: string | Buffer) => void;
  /** Changes the terminal's width, and with it the screen's. */
  readonly resize: (columns: number) => void;
  /** The terminal goes away, as with a window that is closed. */
  readonly hangUp: () => void;
  /** The exit code. */
  readonly finished: Promise<number | null>;
}

/** Told after a second of connecting, which a busy machine may take: the screen is shown without it. */
const NOT_YET = /Waiting for [^\r\n]*: no connection yet\r\n/g;

/**
 * Runs a shell's command line on a terminal of its own, in which `midclt` is the built binary.
 * The terminal's keyboard is silent but for what the test types. The command's other outputs are what it makes of them.
 */
export function onTerminal(t: Test, command: string, options: TerminalOptions): TerminalRun {
  const { home, columns = 80, onResize = 'cut', env = {}, isRaw = false } = options;
  const screen = new Screen(columns || 80);
  const ttyFile = `${home}/tty`;
  const setUp = `unset NODE_OPTIONS; stty cols ${columns} rows 24; tty >"$HOME/tty"`;
  const line = `${setUp}; midclt() { "$NODE" "$BINARY" "$@"; }; ${command}`;
  const child = spawn('script', ['-qefc', line, '/dev/null'], {
    env: environment(home, { TERM: 'xterm', NODE: process.execPath, BINARY, ...env }),
    cwd: home,
  });
  t.teardown(() => child.kill('SIGKILL'));
  const decoder = new StringDecoder();
  const began = performance.now();
  const isSlow = () => performance.now() - began >= 1000;
  let written = '';
  let failure: Error | null = null;
  child.stdout.on('data', (chunk: Buffer) => {
    const text = decoder.write(chunk);
    written += text;
    try {
      if (!isRaw) screen.write(isSlow() ? text.replace(NOT_YET, '') : text);
    } catch (error) {
      failure ??= error as Error;
    }
  });
  child.stdin.on('error', () => undefined);
  const finished = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (failure) reject(failure);
      else resolve(code);
    });
  });
  finished.catch(() => undefined); // whoever awaits it hears of it
  return {
    screen,
    written: () => written,
    type: (keys) => child.stdin.write(keys),
    resize(wanted) {
      const tty = fs.readFileSync(ttyFile, 'utf8').trim();
      spawnSync('stty', ['-F', tty, 'cols', `${wanted}`]);
      screen.resize(wanted, onResize);
    },
    hangUp: () => child.kill('SIGKILL'),
    finished,
  };
}

/** The lines of a screen but those of a connection that took its time, as one may on a busy machine. */
export function punctual(lines: readonly string[]): string[] {
  return lines.filter((line) => !/^Waiting for .*: no connection yet$/.test(line));
}

/** In the place of a daemon: one client's progress and answer as the test says, when it says. */
export interface Puppet {
  readonly home: string;
  /** `-u URI -d`, which reaches it. */
  readonly globals: string;
  /** Waits for the client's request. */
  readonly asked: () => Promise<unknown>;
  readonly progress: (percent: number | null, description: string | null) => void;
  readonly result: (text: string) => void;
  readonly error: (text: string) => void;
  /** Goes away without an answer. */
  readonly vanish: () => void;
}

export async function startPuppet(t: Test): Promise<Puppet> {
  const home = makeHome(t);
  const uri = 'ws+unix:///nowhere';
  const id = createHash('sha256').update(uri).digest('hex').slice(0, 12);
  fs.mkdirSync(`${home}/.midclt`, { mode: 0o700 });
  let client: net.Socket | null = null;
  let asked = false;
  const server = net.createServer((socket) => {
    // It asks over another connection why nothing is heard, when a second has passed.
    if (client) {
      socket.destroy();
      return;
    }
    client = socket;
    socket.on('data', () => (asked = true));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(`${home}/.midclt/daemon-${id}.sock`, resolve));
  t.teardown(() => {
    client?.destroy();
    server.close();
  });
  const send = (text: string) => client?.write(`${text}\n`);
  return {
    home,
    globals: `-u ${uri} -d`,
    asked: () => until('a request', () => asked),
    progress: (percent, description) =>
      send(JSON.stringify({ type: 'progress', percent, description, state: 'RUNNING' })),
    result: (text) => send(`{"type":"result","result":${text}}`),
    error: (error) =>
      send(JSON.stringify({ type: 'error', error, error_type: 'X', trace: null, extra: null })),
    vanish: () => client?.destroy(),
  };
}
