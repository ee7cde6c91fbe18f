/**
 * A word as a shell reads it, for commands that are told to be typed. With backslashes: such a command
 * stands between quotes already.
 */
export function shellWord(word: string): string {
  if (word === '' || /\p{Cc}/u.test(word)) return `'${word.replaceAll("'", "'\\''")}'`;
  return word.replace(/[^\p{L}\p{N}\w@%+=:,./-]/gu, (character) => `\\${character}`);
}
