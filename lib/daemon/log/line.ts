/** A line of the log as people read it. */
import ndjson from 'ndjson';
import { stripControls } from '../../text/terminal.js';

export interface LogPrinterOptions {
  /** The lines as they are. */
  readonly json: boolean;
  /** Nothing in a line may drive it. */
  readonly isTerminal: boolean;
}

type Event = Readonly<Record<string, unknown>>;

/** As wide as the longest level. */
const LEVEL_WIDTH = 'warning'.length;

export class LogPrinter {
  private readonly parse = ndjson.parse({ strict: false });

  constructor(private readonly options: LogPrinterOptions) {}

  /** A line without its newline to what is printed of it. What is no event comes as it is. */
  print(line: Buffer): Buffer {
    const { json, isTerminal } = this.options;
    if (json && !isTerminal) return Buffer.concat([line, NEWLINE]);
    const text = line.toString();
    const event = json ? null : this.read(text);
    return Buffer.from(`${stripControls(event ? readable(event) : text, '\t')}\n`);
  }

  /**
   * The lenient parser drops a bad line without a word, so it gets them one by one, and what it has
   * then is this line's. It never sees what is no object: a `null` would end it.
   */
  private read(line: string): Event | null {
    if (!line.startsWith('{')) return null;
    this.parse.write(`${line}\n`);
    const value = this.parse.read() as Event | null;
    return value !== null && typeof value.event === 'string' ? value : null;
  }
}

const NEWLINE = Buffer.from('\n');

/** `TIME LEVEL EVENT name=value …` */
function readable({ time, level, event, ...fields }: Event): string {
  const facts = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`);
  return [shown(time), shown(level).padEnd(LEVEL_WIDTH), String(event), ...facts].join(' ');
}

/** Bare where nothing is lost by that. */
function shown(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"'=\\\p{C}]+$/u.test(value)) return value;
  return value === undefined ? '-' : JSON.stringify(value);
}
