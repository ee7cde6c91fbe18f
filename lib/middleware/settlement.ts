/** Tells once that a call is over: when the server is done with it and nobody will send it again. */
export class Settlement {
  private serverIsDone = false;
  private callerIsDone = false;
  private cancelled = false;

  constructor(private readonly onSettled: (() => void) | undefined) {}

  /** The server has answered, or never had the call. Perhaps long after the caller gave it up. */
  readonly byServer = (): void => {
    this.serverIsDone = true;
    this.tell();
  };

  /** The caller knows what becomes of it. */
  byCaller(): void {
    this.callerIsDone = true;
    this.tell();
  }

  /** It will be sent again, and settled then. */
  cancel(): void {
    this.cancelled = true;
  }

  private tell(): void {
    if (this.serverIsDone && this.callerIsDone && !this.cancelled) this.onSettled?.();
  }
}
