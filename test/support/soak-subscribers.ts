/** Those who listen in a soak: to one event for all of it, or to a source of their own again and again. */
import net from 'node:net';
import { pause } from './soak-clients.js';
import type { Ledger } from './soak-ledger.js';
import type { Frame } from './wire.js';

interface Event {
  readonly collection?: unknown;
  readonly fields?: { readonly number?: number; readonly n?: number };
}

/** Sends a line and hands on each frame of its answer, until the connection ends. */
function listen(path: string, request: object, onFrame: (frame: Frame) => void) {
  const socket = net.connect(path);
  let text = '';
  socket.setEncoding('utf8');
  socket.on('error', () => undefined);
  socket.on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) onFrame(JSON.parse(line) as Frame);
  });
  const ended = new Promise<void>((resolve) => {
    socket.on('close', () => {
      resolve();
    });
  });
  socket.write(`${JSON.stringify({ command: 'subscribe', ...request, close: true })}\n`);
  return { socket, ended };
}

/** Is there no room for it, or no daemon any more? */
function mayEnd(ledger: Ledger, since: { readonly sent: number }): boolean {
  return ledger.happened(since, 'crowd') || ledger.happened(since, 'end');
}

/** Hears `test.event`, of which the requests of the ledger send numbered ones. */
export class EventSubscriber {
  events = 0;
  gaps = 0;
  /** The numbers in the order they came; null where it was said that some were missed. */
  private readonly heard: (number | null)[] = [];
  private isLeaving = false;

  constructor(
    private readonly path: string,
    private readonly ledger: Ledger,
  ) {}

  /** Listens until `leave`. */
  async run(): Promise<void> {
    while (!this.hasLeft()) {
      this.heard.push(null); // what came before it listened
      const since = { sent: performance.now() };
      const { socket, ended } = listen(this.path, { event: 'test.event' }, (frame) => {
        if (frame.type === 'event') this.take(frame);
        else if (!mayEnd(this.ledger, since)) this.ledger.violate('a subscription ended', frame);
      });
      this.end = () => socket.destroy();
      await ended;
      // A crowd may have left no room for it.
      if (!this.hasLeft() && !mayEnd(this.ledger, since))
        this.ledger.violate('the connection of a subscription ended');
      await pause(50);
    }
  }

  leave(): void {
    this.isLeaving = true;
    this.end();
  }

  private end: () => void = () => undefined;

  get last(): number | null {
    return this.heard.findLast((number) => number !== null) ?? null;
  }

  /** A method, since it changes while one waits. */
  private hasLeft(): boolean {
    return this.isLeaving;
  }

  private take({ event, gap }: Frame): void {
    if (gap === true) {
      this.gaps++;
      this.heard.push(null);
      return;
    }
    const { collection, fields } = event as Event;
    if (collection !== 'test.event' || typeof fields?.number !== 'number') {
      this.ledger.misrouted++;
      this.ledger.violate(`another's event: ${JSON.stringify(event).slice(0, 200)}`);
      return;
    }
    this.events++;
    this.heard.push(fields.number);
  }

  /** Holds what it heard against what the server sent, in its order. */
  compare(emitted: readonly number[]): void {
    const places = new Map(emitted.map((number, place) => [number, place]));
    let last: number | null = null;
    let isGap = true;
    for (const number of this.heard) {
      if (number === null) {
        isGap = true;
        continue;
      }
      const place = places.get(number);
      if (place === undefined) this.ledger.violate(`an event that nobody sent: ${number}`);
      else if (last !== null && place === last) {
        this.ledger.doubled++;
        this.ledger.violate(`an event that came twice: ${number}`);
      } else if (last !== null && place < last)
        this.ledger.violate(`event ${number}, the ${place}th, came behind the ${last}th`);
      else if (!isGap && last !== null && place > last + 1) {
        this.ledger.violate(
          `${place - last - 1} events missed before ${number}, and it was not said`,
        );
      }
      last = place ?? last;
      isGap = false;
    }
  }
}

/** Listens to event sources of its own, one after the other, each to its end. */
export async function listenToTickers(
  path: string,
  ledger: Ledger,
  isOver: () => boolean,
  onEvent: () => void,
  thinks: number,
): Promise<void> {
  for (let number = 0; !isOver(); number++) {
    const count = 3 + (number % 7);
    // No two sources of a daemon have a name in common.
    const interval = Number(`0.02${1_000_000 + number}`);
    const name = `test.ticker:${JSON.stringify({ interval, count })}`;
    const since = { sent: performance.now() };
    let due = 0;
    let isGap = false;
    let ending: Frame | null = null;
    const { ended } = listen(path, { event: name }, (frame) => {
      if (frame.type !== 'event') ending = frame;
      else if (frame.gap === true) isGap = true;
      else {
        onEvent();
        const { collection, fields } = frame.event as Event;
        if (collection !== name) {
          ledger.misrouted++;
          ledger.violate(`an event of ${String(collection)} for ${name}`);
        }
        // A source that is subscribed to anew begins anew.
        if (isGap && fields?.n === 0) due = 0;
        if (fields?.n !== due) ledger.violate(`${name}: ${due} was due`, frame);
        due = (fields?.n ?? 0) + 1;
        isGap = false;
      }
    });
    await ended;
    const final = ending as Frame | null;
    if (final?.result === 'ended') {
      if (due !== count) ledger.violate(`${name} ended after ${due} of ${count}`);
    } else if (!mayEnd(ledger, since)) ledger.violate(`${name} ended after ${due}`, final ?? {});
    await pause(thinks);
  }
}
