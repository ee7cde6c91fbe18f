/**
 * Reads a WebSocket's stream for `ws`, all but the large texts, which it would collect in pieces and copy
 * when the last has come: they are read into the memory in which they stay, and checked as they come.
 */
import { isUtf8 } from 'node:buffer';
import type { ClientRequest } from 'node:http';
import type { OnReadOpts, Socket } from 'node:net';
import { Scan } from '../../json/members.js';

/** Bytes read at a time. */
const READ = 64 * 1024;
/** What a frame begins with that is a whole text, not compressed and not masked, with a length in 8 bytes. */
const WHOLE_TEXT = 0x81;
const LONG_LENGTH = 127;
const LONG_HEADER = 10;
/** Of a frame's first byte. */
const LAST = 0x80;
const OPCODE = 0x0f;
const FIRST_CONTROL = 8;
const CLOSE = 8;
/** Of its second. */
const MASKED = 0x80;

interface LargeText {
  readonly scan: Scan;
  /** Bytes that have come, and that were found to be UTF-8. */
  present: number;
  checked: number;
}

export class LargeTexts {
  /** For `net.connect` and `tls.connect`. */
  readonly onread: OnReadOpts;
  /** Hears of each large text, in its place among the messages of `ws`. */
  onText: (scan: Scan) => void = () => undefined;

  private stream: Socket | null = null;
  private readonly memory = Buffer.allocUnsafeSlow(READ);
  /** What is read is frames, and the next byte begins one when `left` is 0. */
  private isFrames = false;
  /** Bytes of a frame that are still to come, and are for `ws`. */
  private left = 0;
  /** More frames of a message are to come. */
  private isFragmented = false;
  /** The beginning of a frame whose length has not come yet. */
  private held: Buffer | null = null;
  private text: LargeText | null = null;

  /** `most`: bytes of the longest text that is taken. */
  constructor(private readonly most: number) {
    this.onread = {
      buffer: () => this.room(),
      callback: (bytes) => this.read(bytes),
    };
  }

  /** Follows the request that becomes the WebSocket. */
  follow(request: ClientRequest): void {
    request.once('socket', (stream) => {
      this.stream = stream;
    });
    request.once('upgrade', (_response, _stream, { length }) => {
      // Where frames came along with the answer, `ws` has the beginning.
      this.isFrames = length === 0;
    });
  }

  /** From now on all is for `ws`. */
  stop(): void {
    this.isFrames = false;
  }

  /** Where the next bytes go. */
  private room(): Buffer {
    const { text } = this;
    return text ? text.scan.text.subarray(text.present, text.present + READ) : this.memory;
  }

  /** Returns whether more should be read. */
  private read(bytes: number): boolean {
    if (this.text) {
      this.grow(this.text, bytes);
      return true;
    }
    const came = this.memory.subarray(0, bytes);
    if (!this.isFrames) return this.pass(came);
    const chunk = this.held ? Buffer.concat([this.held, came]) : came;
    this.held = null;
    return this.cut(chunk);
  }

  /** Passes on what is in `chunk` up to where a large text begins. */
  private cut(chunk: Buffer): boolean {
    let at = Math.min(this.left, chunk.length);
    this.left -= at;
    while (at < chunk.length && this.isFrames) {
      const header = headerLength(chunk, at);
      if (chunk.length - at < header) {
        this.held = Buffer.from(chunk.subarray(at));
        return this.pass(chunk.subarray(0, at));
      }
      const length = payloadLength(chunk, at);
      const first = chunk[at] ?? 0;
      const isPlain = first === WHOLE_TEXT && chunk[at + 1] === LONG_LENGTH;
      if (isPlain && length >= READ && length <= this.most && !this.isFragmented) {
        const isFirst = this.pass(chunk.subarray(0, at)) && this.stream?.readableLength === 0;
        // What `ws` has not taken yet must come first.
        const isTaken = isFirst && this.begin(length, chunk.subarray(at + header));
        if (!isTaken) this.skip(chunk.subarray(at), header + length);
        return isFirst;
      }
      const opcode = first & OPCODE;
      if (opcode === CLOSE) this.isFrames = false; // nothing counts behind it
      if (opcode < FIRST_CONTROL) this.isFragmented = (first & LAST) === 0;
      const end = at + header + length;
      at = Math.min(end, chunk.length);
      this.left = end - at;
    }
    return this.pass(chunk);
  }

  private skip(chunk: Buffer, length: number): void {
    this.left = length - chunk.length;
    this.pass(chunk);
  }

  /** False where there is no memory for all that is announced: it may never come. */
  private begin(length: number, start: Buffer): boolean {
    let memory: Buffer;
    try {
      memory = Buffer.allocUnsafeSlow(length);
    } catch {
      return false;
    }
    start.copy(memory);
    this.text = { scan: new Scan(memory, 0), present: 0, checked: 0 };
    this.grow(this.text, start.length);
    return true;
  }

  private grow(text: LargeText, bytes: number): void {
    const { scan } = text;
    const memory = scan.text;
    text.present += bytes;
    const isWhole = text.present === memory.length;
    const end = isWhole ? text.present : characterStart(memory, text.present);
    if (!isUtf8(memory.subarray(text.checked, end))) {
      // `ws` is to refuse it as it refuses others.
      this.text = null;
      this.left = memory.length - text.present;
      this.pass(longHeader(memory.length));
      this.pass(memory.subarray(0, text.present));
      return;
    }
    text.checked = end;
    scan.grow(text.present);
    scan.step(Infinity);
    if (!isWhole) return;
    this.text = null;
    this.onText(scan);
  }

  /** The memory is used again. Returns whether more should be read. */
  private pass(bytes: Buffer): boolean {
    return bytes.length === 0 || (this.stream?.push(Buffer.from(bytes)) ?? false);
  }
}

/** Of the frame that begins at `at`; more than there is where its beginning doesn't tell yet. */
function headerLength(chunk: Buffer, at: number): number {
  const second = chunk[at + 1] ?? 0;
  const length = second & ~MASKED;
  const more = length === LONG_LENGTH ? 8 : length === LONG_LENGTH - 1 ? 2 : 0;
  return 2 + more + ((second & MASKED) === 0 ? 0 : 4);
}

function payloadLength(chunk: Buffer, at: number): number {
  const length = (chunk[at + 1] ?? 0) & ~MASKED;
  if (length < LONG_LENGTH - 1) return length;
  if (length < LONG_LENGTH) return chunk.readUInt16BE(at + 2);
  return chunk.readUInt32BE(at + 2) * 2 ** 32 + chunk.readUInt32BE(at + 6);
}

function longHeader(length: number): Buffer {
  const header = Buffer.alloc(LONG_HEADER);
  header[0] = WHOLE_TEXT;
  header[1] = LONG_LENGTH;
  header.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
  header.writeUInt32BE(length % 2 ** 32, 6);
  return header;
}

/** Where a character begins that is not whole before `end`, or `end`. */
function characterStart(text: Buffer, end: number): number {
  for (let back = 1; back <= 3 && back <= end; back++) {
    const c = text[end - back] ?? 0;
    if ((c & 0xc0) === 0x80) continue;
    const length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    return length > back ? end - back : end;
  }
  return end;
}

/** What a middleware writes, in small. */
const ENTRY =
  '{"id": 12, "name": "sda \\"1\\" \\u00e9", "size": 4000787030016, "on": true, "off": false, "pool": null, "of": {"slot": 3, "at": [31, -32.5, 1e-05], "no": [], "none": {}}}, ';
const ROUNDS = 20;
/** Milliseconds between two of them. */
const PAUSE = 10;
/** Bytes that come at a time. */
const PART = 1000;

/**
 * Has V8 compile the check while nobody waits for it: until it has, the check of one megabyte takes as long as
 * that of thirty later. In parts, since V8 begins anew when it sees a case that it has not seen yet.
 */
export function warmUp(): void {
  const text = Buffer.from(`{"jsonrpc": "2.0", "result": [${ENTRY.repeat(200)}0]}`);
  let round = 0;
  const timer = setInterval(() => {
    const scan = new Scan(text, 0);
    for (let present = 0; present < text.length;) {
      present = Math.min(present + PART, text.length);
      scan.grow(present);
      scan.step(Infinity);
    }
    if (++round === ROUNDS) clearInterval(timer);
  }, PAUSE);
  timer.unref();
}
