/**
 * The part of the shell function that looks at the directories above the daemon's, as `lib/ancestors.ts`
 * does. See `shell-text.ts` for the words to be put in.
 *
 * One `ls` does it, once a shell. It sorts, so that the directory itself is the last of its lines; whose
 * that is, is known by then: one's own. Anything but root's and one's own is left to the program, and so
 * are links.
 */
export const TRUST = String.raw`
_midclt_trust() {
  local list mode links owner rest own last part=$1 dir=$1 LC_ALL=C IFS=' '
  case $part in
    *[!\ -~]*) return 1 ;;
  esac
  set -- "$part"
  while [ -n "@{part%/*}" ]; do
    part=@{part%/*}
    set -- "$part" "$@"
  done
  list=$(command ls -ldn / "$@") || return 1
  own= last=
  while read -r mode links owner rest; do
    case $mode in
      d????-??-* | d????????[Tt]*) ;;
      *) return 1 ;;
    esac
    last=$owner
    if [ "$owner" != 0 ]; then
      [ "@{own:-$owner}" = "$owner" ] || return 1
      own=$owner
    fi
  done <<MIDCLT
$list
MIDCLT
  [ "@{own:-$last}" = "$last" ] || return 1
  _midclt_trusted=$dir
}`;
