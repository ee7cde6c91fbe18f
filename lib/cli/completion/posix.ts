/** What the scripts for bash and zsh have in common: the tables of the grammar, and what the words before the cursor are. */
import type { Level, Offer } from './levels.js';

/** In these texts `@{` is `${`. */
export function script(...parts: readonly string[]): string {
  return `${parts.map((part) => part.trim()).join('\n')}\n`.replaceAll('@{', '${');
}

/** In single quotes, for bash and zsh. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Those behind which a command stands. */
export function groupPattern(levels: readonly Level[]): string {
  return levels
    .filter(({ words }) => words.length > 0)
    .map(({ name }) => quoted(name))
    .join(' | ');
}

/**
 * `_midclt_kind LEVEL OPTION` or `LEVEL NUMBER`: sets `kind` to what the option's value is, or the argument of this
 * number, with `choices` if that is `words`; fails for what has no value.
 */
export function kinds(levels: readonly Level[]): string {
  const lines = levels.flatMap(({ name, options, places, repeats }) => {
    const above = name === '' ? [] : (levels[0]?.options ?? []);
    const known = new Set(above.flatMap((each) => each.names));
    const own = options.filter(({ names }) => !names.every((each) => known.has(each)));
    // Of an option of this name that means something else above, the command's own counts.
    const hidden = options.filter(
      (each) => !own.includes(each) && above.every((other) => !isSame(each, other)),
    );
    return [
      ...[...own, ...hidden].flatMap(({ names, takesValue, offer }) =>
        takesValue
          ? [
              branch(
                names.map((each) => quoted(`${name}:${each}`)),
                offer,
              ),
            ]
          : [],
      ),
      ...places.map((offer, i) =>
        repeats && i === places.length - 1
          ? branch([`${quoted(`${name}:`)}[0-9]*`], offer)
          : branch([quoted(`${name}:${i}`)], offer),
      ),
    ];
  });
  const globals = (levels[0]?.options ?? []).flatMap(({ names, takesValue, offer }) =>
    takesValue
      ? [
          branch(
            names.map((each) => `*:${each}`),
            offer,
          ),
        ]
      : [],
  );
  return [
    '_midclt_kind() {',
    '  kind= choices=',
    '  case $1:$2 in',
    ...[...new Set([...lines, ...globals])],
    '    *) return 1 ;;',
    '  esac',
    '}',
  ].join('\n');
}

function isSame(a: Level['options'][number], b: Level['options'][number]): boolean {
  return a.names.join() === b.names.join() && JSON.stringify(a.offer) === JSON.stringify(b.offer);
}

function branch(patterns: readonly string[], offer: Offer): string {
  const words = offer !== null && typeof offer === 'object' ? offer.words : null;
  const kind = words ? 'words' : typeof offer === 'string' ? offer : '';
  const choices = words ? ` choices=${quoted(words.join(' '))}` : '';
  return `    ${patterns.join(' | ')}) kind=${kind}${choices} ;;`;
}

/**
 * `_midclt_scan WORD ...`: the words before the one to be completed, without quotes. Sets `level` to the command they
 * name, `place` to the number of the argument that is next, `option` to that whose value is, `literal` behind `--`, and
 * `system` to the options that say which system is meant.
 */
export const SCAN = String.raw`
_midclt_scan() {
  local word
  level= place=0 option= literal=
  system=()
  for word; do
    if [ -n "$option" ]; then
      _midclt_system "$option" "$word"
      option=
      continue
    fi
    case $literal$word in
      --) literal=1 ;;
      --insecure) system+=("$word") ;;
      --*=*) _midclt_system "@{word%%=*}" "@{word#*=}" ;;
      -?*)
        if _midclt_kind "$level" "$word"; then
          option=$word
        else
          _midclt_system "@{word%"@{word#??}"}" "@{word#??}"
        fi ;;
      *)
        if _midclt_is_group "$level"; then
          level=@{level:+$level }$word
        else
          place=$((place + 1))
        fi ;;
    esac
  done
}
_midclt_system() {
  case $1 in
    -[puU] | --profile | --uri | --username) [ -z "$2" ] || system+=("$1" "$2") ;;
  esac
}
_midclt_ask() {
  local program=midclt
  # Debian's package is also that, where the other name is somebody else's.
  case $1 in
    midclt-node | */midclt-node) program=midclt-node ;;
  esac
  NODE_EXTRA_CA_CERTS= command "$program" complete "$kind" @{system[@]+"@{system[@]}"} 2>/dev/null </dev/null
}`;

export function isGroup(levels: readonly Level[]): string {
  return `_midclt_is_group() {\n  case $1 in\n    ${groupPattern(levels)}) ;;\n    *) return 1 ;;\n  esac\n}`;
}
