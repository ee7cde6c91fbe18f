/** Generated files of any size, which tests know without having them: the same bytes at the same place, always. */

/** A block's content repeats, but for its first bytes, which count the blocks. */
const BLOCK = 65536;

const PATTERN = pattern();

/** Each block begins with its number, in 8 bytes, the lowest first. */
export function contentAt(offset: number, length: number): Buffer {
  const content = Buffer.allocUnsafe(length);
  for (let done = 0; done < length;) {
    const place = offset + done;
    const within = place % BLOCK;
    const block = Math.floor(place / BLOCK);
    const count = Math.min(length - done, BLOCK - within);
    PATTERN.copy(content, done, within, within + count);
    for (let index = within; index < 8 && index < within + count; index += 1)
      content[done + index - within] = Math.floor(block / 256 ** index) % 256;
    done += count;
  }
  return content;
}

/** Random as far as a compressor can tell, and the same in every process. */
function pattern(): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  let state = 0x2545f491;
  for (let index = 0; index < BLOCK; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state & 0xff;
  }
  return bytes;
}
