/** Examples in documents. */

export interface Example {
  readonly command: string;
  readonly output: string;
}

/** The commands of the `console` blocks, and what they print. */
export function examplesOf(text: string): Example[] {
  const examples: Example[] = [];
  for (const [, block = ''] of text.matchAll(/^```console\n(.*?)^```$/gms)) {
    for (const part of block.split(/^\$ /m).slice(1)) {
      const newline = part.indexOf('\n');
      examples.push({ command: part.slice(0, newline), output: part.slice(newline + 1) });
    }
  }
  return examples;
}

/** What an example must print: `...` in it is any text. */
export function pattern(output: string): RegExp {
  const parts = output.split('...').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^]*?')}$`);
}
