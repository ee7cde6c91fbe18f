/** The parts of an upload, in a file of its own: the library that reads them is loaded for the first upload. */
import type { IncomingMessage } from 'node:http';
import { PassThrough, Readable, pipeline } from 'node:stream';
import busboy from 'busboy';

/** The longest part that is no file; the call of the upload is one. */
const MAX_FIELD = 2 * 1024 * 1024;

/** A part. The next one comes when this one was read, or its `content` told to resume. */
export interface Part {
  readonly name: string;
  readonly content: Readable;
}

/**
 * The parts of a request's body, which comes by `body`. When the client leaves in the middle, the content of the
 * part then read fails. Throws for a request that is no multipart/form-data.
 */
export function partsOf(
  { headers }: IncomingMessage,
  body: AsyncIterable<Buffer>,
): AsyncIterator<Part, undefined> {
  const parser = busboy({ headers, limits: { fieldSize: MAX_FIELD } });
  const parts = new PassThrough({ objectMode: true });
  const add = (name: string, content: Readable): void => {
    content.on('error', () => undefined); // whoever reads it then is told
    if (!parts.writableEnded) parts.write({ name, content });
  };
  parser.on('file', add);
  parser.on('field', (name, value) => {
    add(name, Readable.from([Buffer.from(value)]));
  });
  pipeline(body, parser, () => {
    parts.end();
  });
  return parts[Symbol.asyncIterator]() as AsyncIterator<Part, undefined>;
}
