/**
 * Tells those who work for a client that it has gone. What an AbortSignal would do, at a fraction of its
 * price: one is made for every connection, and listened to by every call that waits.
 */
export class Cancellation {
  private over = false;
  private readonly listeners = new Set<() => void>();

  get isCancelled(): boolean {
    return this.over;
  }

  /** Who listens, for tests of who forgets to leave. */
  get listenerCount(): number {
    return this.listeners.size;
  }

  /** Called once, at most; not at all if it is cancelled already. */
  on(listener: () => void): void {
    this.listeners.add(listener);
  }

  off(listener: () => void): void {
    this.listeners.delete(listener);
  }

  cancel(): void {
    this.over = true;
    const listeners = [...this.listeners];
    this.listeners.clear();
    for (const listener of listeners) listener();
  }
}
