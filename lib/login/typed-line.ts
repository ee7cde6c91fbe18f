/** A line as it is typed on a terminal in raw mode, where the keys that edit it are characters. */
import { StringDecoder } from 'node:string_decoder';
import { stripControls } from '../text/terminal.js';

const INTERRUPT = '\x03';
const END = '\x04';
const KILL = '\x15';
const SUSPEND = '\x1a';
const QUIT = '\x1c';
const DELETE = '\x7f';
const KEPT = `${INTERRUPT}${END}\b\n\r${KILL}${SUSPEND}${QUIT}${DELETE}`;

export type Typed =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'end' }
  | { readonly kind: 'signal'; readonly signal: 'SIGINT' | 'SIGQUIT' };

export class TypedLine {
  private characters: string[] = [];
  /** A character may come in two pieces. */
  private readonly decoder = new StringDecoder();

  /** What ended the line, or null if it goes on. What comes behind that is dropped. */
  take(chunk: Buffer): Typed | null {
    for (const character of stripControls(this.decoder.write(chunk), KEPT)) {
      switch (character) {
        case '\r':
        case '\n':
          return { kind: 'line', text: this.characters.join('') };
        case INTERRUPT:
          return { kind: 'signal', signal: 'SIGINT' };
        case QUIT:
          return { kind: 'signal', signal: 'SIGQUIT' };
        case END:
        case SUSPEND:
          if (this.characters.length === 0) return { kind: 'end' };
          break;
        case KILL:
          this.characters = [];
          break;
        case '\b':
        case DELETE:
          this.characters.pop();
          break;
        default:
          this.characters.push(character);
      }
    }
    return null;
  }
}
