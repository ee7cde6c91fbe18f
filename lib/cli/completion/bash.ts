/** The script for bash, from 3.2 on. It needs no bash-completion. */
import type { Level } from './levels.js';
import { isGroup, kinds, quoted, SCAN, script } from './posix.js';

export function bash(levels: readonly Level[]): string {
  return script(HEAD, names(levels), kinds(levels), isGroup(levels), SCAN, MAIN);
}

const HEAD = String.raw`
# bash completion for midclt; in ~/.bashrc: eval "$(midclt completion bash)"`;

/** `_midclt_names LEVEL`: sets `words` to the commands behind it, and `flags` to its options. */
function names(levels: readonly Level[]): string {
  const branches = levels.map(({ name, words, options }) => {
    const commands =
      words.length > 0 ? ` words=${quoted(words.map(([word]) => word).join(' '))}` : '';
    const flags = quoted(options.flatMap((each) => each.names).join(' '));
    return `    ${quoted(name)})${commands} flags=${flags} ;;`;
  });
  return ['_midclt_names() {', '  words= flags=', '  case $1 in', ...branches, '  esac', '}'].join(
    '\n',
  );
}

/**
 * bash parts words at the characters of COMP_WORDBREAKS, `:` and `=` among them, and replaces the last part alone;
 * so parts that no blank separates are put together, and of what is offered the part stands that is to be replaced. Nothing that
 * comes from elsewhere is ever expanded: `compgen -W` would.
 */
const MAIN = String.raw`
_midclt_bare() {
  case $1 in
    \'*\' | \"*\") bare=@{1:1:@{#1}-2} ;;
    *) bare=@{1//\\/} ;;
  esac
}
_midclt_offer() {
  case $before$1 in
    "$whole"*)
      bare=$before$1
      COMPREPLY+=("@{bare:@{#cut}}") ;;
  esac
}
_midclt() {
  local IFS=$' \t\n' level place option literal kind choices words flags bare name note
  local line rest word whole last mark cut before breaks i
  local -a all system bares
  COMPREPLY=()
  line=@{COMP_LINE:0:COMP_POINT} all=() bares=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    rest=@{line#"@{line%%[![:space:]]*}"}
    word=@{COMP_WORDS[i]}
    [ "$i" -lt "$COMP_CWORD" ] || word=$rest
    if [ "$i" -gt 0 ] && [ "$rest" = "$line" ]; then
      all[@{#all[@]}-1]+=$word
    else
      all+=("$word")
    fi
    line=@{rest#"$word"}
  done
  last=$((@{#all[@]} - 1))
  [ "$last" -gt 0 ] || return 0
  for ((i = 1; i < last; i++)); do
    _midclt_bare "@{all[i]}"
    bares+=("$bare")
  done
  whole=@{all[last]} mark= cut= before=
  case $whole in
    [\"\']*) mark=@{whole:0:1} whole=@{whole:1} ;;
    *)
      whole=@{whole//\\/}
      breaks=@{COMP_WORDBREAKS//[\"\'[:space:]]/}
      [ -z "$breaks" ] || cut=@{whole%"@{whole##*["$breaks"]}"}
      # That is part of what it begins.
      cut=@{cut%@} ;;
  esac
  _midclt_scan @{bares[@]+"@{bares[@]}"}
  if [ -n "$option" ]; then
    _midclt_kind "$level" "$option"
  else
    case $literal$whole in
      --*=*)
        before=@{whole%%=*}=
        _midclt_kind "$level" "@{before%=}" || return 0 ;;
      -*)
        _midclt_names "$level"
        kind=words choices=$flags ;;
      *)
        if _midclt_is_group "$level"; then
          _midclt_names "$level"
          kind=words choices=$words
        else
          _midclt_kind "$level" "$place" || return 0
        fi ;;
    esac
  fi
  case $kind in
    '') ;;
    words)
      for name in $choices; do
        _midclt_offer "$name"
      done ;;
    files)
      # readline does that better; before bash 4 it can't be asked to.
      if ! compopt -o default 2>/dev/null; then
        IFS=$'\n'
        for name in $(compgen -f -- "@{whole#"$before"}"); do
          COMPREPLY+=("$name")
        done
      fi ;;
    *)
      if [ "$kind" = systems ]; then
        rest=@{whole#"$before"}
        before+=@{rest%"@{rest##*,}"}
      fi
      while IFS=$'\t' read -r name note; do
        [ -z "$name" ] || _midclt_offer "$name"
      done <<<"$(_midclt_ask "@{COMP_WORDS[0]}")" ;;
  esac
  case @{#COMPREPLY[@]}:@{COMPREPLY[0]-} in
    1:*[=/]) compopt -o nospace 2>/dev/null ;;
  esac
  return 0
}
complete -F _midclt midclt midclt-node`;
