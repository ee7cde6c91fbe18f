/** The script for fish. */
import type { Level, Offer, OptionAt } from './levels.js';

export function fish(levels: readonly Level[]): string {
  return `${[
    HEAD.trim(),
    takes(levels),
    MAIN.replace('@GROUPS@', () => groups(levels)).trim(),
    ...levels.flatMap(commandLines),
    ...optionLines(levels),
    ...levels.flatMap(placeLines),
  ].join('\n')}\n`;
}

/** Not by --wraps: what is typed then looks like the other name, whose program may be another's. */
const COMPLETE = 'complete -c midclt -c midclt-node';

const HEAD = String.raw`
# fish completion for midclt: midclt completion fish >~/.config/fish/completions/midclt.fish`;

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function groups(levels: readonly Level[]): string {
  return levels
    .filter(({ words }) => words.length > 0)
    .map(({ name }) => quoted(name))
    .join(' ');
}

/** `__midclt_takes LEVEL OPTION`: does it take a value? */
function takes(levels: readonly Level[]): string {
  const valued = (level: Level) => level.options.filter(({ takesValue }) => takesValue);
  const patterns = levels.flatMap((level) =>
    valued(level).flatMap(({ names }) =>
      names.map((name) => quoted(`${level.name === '' ? '*' : level.name}:${name}`)),
    ),
  );
  return [
    'function __midclt_takes',
    '    switch "$argv[1]:$argv[2]"',
    `        case ${[...new Set(patterns)].join(' ')}`,
    '            return 0',
    '    end',
    '    return 1',
    'end',
  ].join('\n');
}

/**
 * `__midclt_scan` prints the command that the words before the cursor name, the number of its argument that is next,
 * and the options that say which system is meant.
 */
const MAIN = String.raw`
function __midclt_scan
    set -l words (commandline -opc)
    set -l level ''
    set -l place 0
    set -l option ''
    set -l literal ''
    set -l system
    for word in $words[2..-1]
        if test -n "$option"
            if contains -- $option -p --profile -u --uri -U --username
                set -a system $option $word
            end
            set option ''
            continue
        end
        switch "$literal$word"
            case --
                set literal 1
            case --insecure '--profile=*' '--uri=*' '--username=*'
                set -a system $word
            case '-*'
                if test "$word" = -
                    set place (math $place + 1)
                else if __midclt_takes $level $word
                    set option $word
                else if string match -qr '^-[puU].' -- $word
                    set -a system $word
                end
            case '*'
                if contains -- $level @GROUPS@
                    set level (string trim -- "$level $word")
                else
                    set place (math $place + 1)
                end
        end
    end
    printf '%s\n' $level $place $system
end
function __midclt_at
    set -l found (__midclt_scan)
    contains -- $found[1] $argv
end
function __midclt_place
    set -l found (__midclt_scan)
    test "$found[1]" = $argv[1]; and test $found[2] $argv[2] $argv[3]
end
function __midclt_ask
    set -l found (__midclt_scan)
    set -lx NODE_EXTRA_CA_CERTS
    set -l program midclt
    set -l words (commandline -opc)
    string match -qr '(^|/)midclt-node$' -- $words[1]; and set program midclt-node
    set -l before ''
    if test $argv[1] = systems
        set before (commandline -ct | string replace -r '^(?:--[^=]*=|-p)' '' | string match -r '^.*,')
    end
    for line in (command $program complete $argv[1] $found[3..-1] 2>/dev/null </dev/null)
        printf '%s%s\n' "$before" $line
    end
end
complete -c midclt -c midclt-node -e
complete -c midclt -c midclt-node -f`;

function commandLines({ name, words }: Level): string[] {
  return words.map(
    ([word, summary]) =>
      `${COMPLETE} -n ${quoted(`__midclt_at ${quoted(name)}`)} -a ${quoted(word)} -d ${quoted(summary)}`,
  );
}

/** The same option of several commands is told together: the condition is tried once. */
function optionLines(levels: readonly Level[]): string[] {
  const places = new Map<string, string[]>();
  for (const { name, options } of levels) {
    for (const option of options) {
      const words = optionWords(option);
      places.set(words, [...(places.get(words) ?? []), quoted(name)]);
    }
  }
  return [...places].map(
    ([words, names]) => `${COMPLETE} -n ${quoted(`__midclt_at ${names.join(' ')}`)} ${words}`,
  );
}

function optionWords({ names, takesValue, offer, summary }: OptionAt): string {
  const words = names.map((name) => {
    if (name.startsWith('--')) return `-l ${name.slice(2)}`;
    return name.length === 2 ? `-s ${name.slice(1)}` : `-o ${name.slice(1)}`;
  });
  return [...words, ...(takesValue ? [value(offer)] : []), '-d', quoted(summary)].join(' ');
}

function value(offer: Offer): string {
  if (offer === 'files') return '-r -F';
  return offer === null ? '-x' : `-x ${offered(offer)}`;
}

function offered(offer: Exclude<Offer, 'files' | null>): string {
  return typeof offer === 'string'
    ? `-a ${quoted(`(__midclt_ask ${offer})`)}`
    : `-a ${quoted(offer.words.join(' '))}`;
}

function placeLines({ name, places, repeats }: Level): string[] {
  return places.flatMap((offer, i) => {
    if (offer === null) return [];
    const how = repeats && i === places.length - 1 ? '-ge' : '-eq';
    const condition = quoted(`__midclt_place ${quoted(name)} ${how} ${i}`);
    return [`${COMPLETE} -n ${condition} ${offer === 'files' ? '-F' : offered(offer)}`];
  });
}
