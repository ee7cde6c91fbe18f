/** The commands of a line of shell, each as its words; redirections are left out, and nothing is expanded. */
export function shellCommands(text: string): string[][] {
  const line = text.replace(/\d*>&\d/g, '').replace(/^eval "\$\((.*)\)"$/m, '$1');
  const tokens = line.match(/(?:'[^']*'|"[^"]*"|\\.|[^\s'"|&;<>\\])+|[<>]+|[|&;\n]+/g) ?? [];
  const commands: string[][] = [];
  let command: string[] = [];
  let isFile = false;
  for (const token of tokens) {
    if (/^[|&;\n]/.test(token)) {
      commands.push(command);
      command = [];
    } else if (/^[<>]/.test(token)) isFile = true;
    else if (isFile) isFile = false;
    else command.push(unquoted(token));
  }
  return [...commands, command].filter(({ length }) => length > 0);
}

function unquoted(token: string): string {
  return token.replace(
    /'([^']*)'|"([^"]*)"|\\(.)/g,
    (_, single?: string, double?: string, escaped?: string) => single ?? double ?? escaped ?? '',
  );
}

/** The arguments of each `midclt` in a text of shell, also of one behind `do` or in a `$(…)`. */
export function midcltCommands(text: string): string[][] {
  return shellCommands(text).flatMap((words) => {
    const [first, ...rest] = words[0] === 'do' ? words.slice(1) : words;
    return first === 'midclt' ? [rest] : [];
  });
}
