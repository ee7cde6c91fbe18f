/** The script for zsh: to be evaluated, or a file `_midclt` in `$fpath`. */
import type { Level } from './levels.js';
import { isGroup, kinds, quoted, SCAN, script } from './posix.js';

export function zsh(levels: readonly Level[]): string {
  return script(HEAD, names(levels), kinds(levels), isGroup(levels), SCAN, MAIN);
}

const HEAD = String.raw`
#compdef midclt midclt-node
# zsh completion for midclt; in ~/.zshrc, behind compinit: eval "$(midclt completion zsh)"`;

/** `_midclt_names LEVEL`: sets `list` to the commands behind it, and `flags` to its options, with what they are. */
function names(levels: readonly Level[]): string {
  const branches = levels.flatMap(({ name, words, options }) => [
    `    ${quoted(name)})`,
    ...array('list', words),
    ...array(
      'flags',
      options.flatMap((each) => each.names.map((option) => [option, each.summary] as const)),
    ),
    '      ;;',
  ]);
  const head = ['_midclt_names() {', '  list=() flags=()', '  case $1 in'];
  return [...head, ...branches, '  esac', '}'].join('\n');
}

function array(name: string, items: readonly (readonly [string, string])[]): string[] {
  if (items.length === 0) return [];
  const words = items.map(([word, note]) => `        ${quoted(`${word}:${note}`)}`);
  return [`      ${name}=(`, ...words, '      )'];
}

const MAIN = String.raw`
_midclt() {
  local level place option literal kind choices name note
  local -a system list flags bares
  bares=("@{(@Q)words[2,CURRENT-1]}")
  _midclt_scan "@{bares[@]}"
  if [[ -n $option ]]; then
    _midclt_kind "$level" "$option"
  elif [[ -z $literal && $PREFIX == --*=* ]]; then
    _midclt_kind "$level" "@{PREFIX%%=*}" || return 1
    compset -P 1 '*='
  elif [[ -z $literal && $PREFIX == -* ]]; then
    _midclt_names "$level"
    _describe -o option flags
    return
  elif _midclt_is_group "$level"; then
    _midclt_names "$level"
    _describe -t commands command list
    return
  else
    _midclt_kind "$level" "$place" || return 1
  fi
  case $kind in
    '') _message 'nothing to complete' ;;
    words) compadd -- @{=choices} ;;
    files) _files ;;
    *)
      [[ $kind != systems ]] || compset -P '*,'
      while IFS=$'\t' read -r name note; do
        [[ -z $name ]] || list+=("@{name//:/\\:}@{note:+:$note}")
      done <<<"$(_midclt_ask "$words[1]")"
      (( $#list )) || return 1
      _describe -t "$kind" "@{kind//-/ }" list ;;
  esac
}
if [[ $funcstack[1] == _midclt ]]; then
  _midclt "$@"
elif (( $+functions[compdef] )); then
  compdef _midclt midclt midclt-node
fi`;
