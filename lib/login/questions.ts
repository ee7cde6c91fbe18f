/** Questions on the terminal: asked again where the answer is none. */
import { MidcltError } from '../errors.js';
import { promptLine, promptSecret, Unanswered } from './prompt.js';

/** How often a question is asked. */
const ATTEMPTS = 3;
const TOO_OFTEN = '(asked three times)';

/** Shown or hidden is what is typed. */
type Prompt = (text: string) => Promise<string | null>;

/**
 * What `read` makes of what is typed. What `read` throws is said, and the question is asked again; three times in all. Rejects
 * as the prompts do, also with what `read` has thrown last, or with a `REQUEST` error where there is no terminal.
 */
export async function ask<T>(
  question: string,
  read: (typed: string) => T,
  prompt: Prompt = promptLine,
): Promise<T> {
  let complaint = '';
  for (let left = ATTEMPTS; ; left--) {
    const typed = await prompt(complaint + question);
    if (typed === null) throw new MidcltError('REQUEST', 'There is no terminal to ask on');
    try {
      return read(typed.trim());
    } catch (error) {
      if (!(error instanceof MidcltError)) throw error;
      if (left === 1) throw new Unanswered(`${error.message} ${TOO_OFTEN}`);
      complaint = `${error.message}\n`;
    }
  }
}

/** As {@link ask}, for what nobody may see. */
export function askSecret<T>(question: string, read: (typed: string) => T): Promise<T> {
  return ask(question, read, promptSecret);
}

/** `fallback` is what Enter alone means. */
export function confirm(question: string, fallback: boolean): Promise<boolean> {
  return ask(`${question} ${fallback ? '[Y/n]' : '[y/N]'} `, (typed) => {
    if (typed === '') return fallback;
    if (/^y(?:es)?$/i.test(typed)) return true;
    if (/^no?$/i.test(typed)) return false;
    throw new MidcltError('REQUEST', "Type 'y' for yes or 'n' for no");
  });
}
