const MILLISECONDS = 5;

/** Blocks this process for a moment, while a descriptor that would not block is not ready. */
export function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, MILLISECONDS);
}
