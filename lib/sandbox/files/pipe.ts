/** The pipes of jobs that take or give files. They hold little: who writes waits for who reads. */
import { randomUUID } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { PassThrough } from 'node:stream';
import { PyException } from '../python/exceptions.js';

/** So much is in a pipe before its writer waits, as in one of Linux. */
const CAPACITY = 65536;

/** A piece that a buffered pipe is read in. */
const PIECE = 262144;

/** One file on its way. */
export interface Pipe {
  /** Resolves when more may be written. Rejects with BrokenPipeError when nobody reads it any more. */
  write(chunk: Buffer): Promise<void>;
  /** Ends what is written. */
  end(): void;
  /** The content. Whoever stops reading has closed the pipe. */
  read(): AsyncIterable<Buffer>;
  /** Ends reading and writing. */
  close(): void;
}

export interface Pipes {
  readonly inputs: InputPipes | null;
  readonly output: Pipe | null;
}

export const NO_PIPES: Pipes = { inputs: null, output: null };

/** @param isBuffered The writer never waits, and to a reader, what is there is all there is. */
export function openPipe(isBuffered: boolean): Pipe {
  return isBuffered ? new FilePipe() : new MemoryPipe();
}

function broken(): PyException {
  const [errno, text] = [32, 'Broken pipe'];
  return new PyException(
    'BrokenPipeError',
    `[Errno ${errno}] ${text}`,
    `BrokenPipeError(${errno}, '${text}')`,
  );
}

class MemoryPipe implements Pipe {
  private readonly stream = new PassThrough({ highWaterMark: CAPACITY });
  /** Ends the write that waits. */
  private readonly pending = new Set<(isWritten: boolean) => void>();

  constructor() {
    this.stream.on('error', () => undefined); // the writer is told by its promise
    this.stream.on('close', () => {
      for (const settle of this.pending) settle(false); // a write that waits for a reader has no callback then
    });
  }

  async write(chunk: Buffer): Promise<void> {
    const { stream } = this;
    if (stream.writableEnded || stream.destroyed) throw broken();
    const isWritten = await new Promise<boolean>((resolve) => {
      this.pending.add(resolve);
      stream.write(chunk, (error) => {
        this.pending.delete(resolve);
        resolve(error == null);
      });
    });
    if (!isWritten) throw broken();
  }

  end(): void {
    this.stream.end();
  }

  async *read(): AsyncGenerator<Buffer> {
    if (this.stream.destroyed) return;
    for await (const chunk of this.stream) yield chunk as Buffer;
  }

  close(): void {
    this.stream.destroy();
  }
}

/** A temporary file, as on the real server. It has no name any more when it is written to. */
class FilePipe implements Pipe {
  private readonly file = temporaryFile();
  private isOver = false;
  private isClosed = false;

  constructor() {
    this.file.catch(() => undefined); // who writes or reads is told
  }

  async write(chunk: Buffer): Promise<void> {
    const file = await this.file;
    if (this.isOver) throw broken();
    await file.write(chunk);
  }

  end(): void {
    this.isOver = true;
  }

  async *read(): AsyncGenerator<Buffer> {
    const file = await this.file;
    for (let position = 0; !this.isClosed;) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(PIECE), 0, PIECE, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  close(): void {
    if (this.isClosed) return;
    this.isOver = this.isClosed = true;
    void this.file.then((file) => file.close()).catch(() => undefined);
  }
}

async function temporaryFile(): Promise<FileHandle> {
  const name = path.join(os.tmpdir(), `midclt-sandbox-pipe-${randomUUID()}`);
  const file = await open(name, 'wx+', 0o600);
  await unlink(name);
  return file;
}

/** The files of an upload, one after the other. The upload adds them as they come. */
export class InputPipes {
  private readonly queue = new PassThrough({ objectMode: true });
  private readonly pipes: Pipe[] = [];
  private isClosed = false;
  /** Resolves when the job has read all, or has ended. */
  readonly settled = new Promise<void>((resolve) => this.queue.once('close', resolve));

  add(pipe: Pipe): void {
    this.pipes.push(pipe);
    if (this.isClosed) pipe.close();
    else this.queue.write(pipe);
  }

  /** No more will come. */
  end(): void {
    if (!this.isClosed) this.queue.end();
  }

  /** What a job leaves of a file is read when it asks for the next, which comes after it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Pipe, undefined> {
    for await (const each of this.queue) {
      const pipe = each as Pipe;
      yield pipe;
      const rest = pipe.read()[Symbol.asyncIterator]();
      while ((await rest.next()).done !== true);
    }
  }

  /** The job has ended: what still comes is not read. */
  close(): void {
    this.isClosed = true;
    this.queue.destroy();
    for (const pipe of this.pipes) pipe.close();
  }
}
