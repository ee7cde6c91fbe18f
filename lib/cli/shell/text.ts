/** The text of the shell function, with `@{` for `${` and other words in `@` to be put in. */

/** `_midclt_quote TEXT` sets `quoted` to the JSON string of printable ASCII. */
export const QUOTE = String.raw`# midclt as a shell function; to be evaluated: eval "$(midclt shell-init SHELL)"
_midclt_quote() {
  quoted=@{1//\\/\\\\}
  quoted=\"@{quoted//\"/\\\"}\"
}`;

/** Without the substitution that not every shell has. */
export const POSIX_QUOTE = String.raw`# midclt as a shell function; to be evaluated: eval "$(midclt shell-init sh)"
_midclt_quote() {
  quoted= rest=$1
  while :; do
    case $rest in
      *[\"\\]*) ;;
      *) break ;;
    esac
    head=@{rest%%[\"\\]*}
    rest=@{rest#"$head"}
    tail=@{rest#?}
    quoted=$quoted$head\\@{rest%"$tail"}
    rest=$tail
  done
  quoted=\"$quoted$rest\"
}`;

/**
 * Makes the call, or returns @LEFT@ if nothing was sent. The daemon's answer is a line with the exit
 * code, then the text; what begins with a brace is the answer of one that does not know such requests.
 */
export const FAST = String.raw`
_midclt_fast() {
@EMULATION@  local uri user on time quiet verb request args quoted rest head tail dir id key sock terminal peer pause again text nap LC_ALL=C
  uri=@{MIDCLT_URI-} user=@{MIDCLT_USERNAME-} time=@{CALL_TIMEOUT-} on= quiet= args=
  case @{MIDCLT_USE_DAEMON-} in
    '') ;;
    1) on=1 ;;
    *) return @LEFT@ ;;
  esac
  while :; do
    case @{1-} in
      -d | --use-daemon) on=1 ;;
      call | ping)
        verb=$1
        shift
        break ;;
      -u | -U | -t)
        case @{2-} in
          '' | -*) return @LEFT@ ;;
        esac
        case $1 in
          -u) uri=$2 ;;
          -U) user=$2 ;;
          -t) time=$2 ;;
        esac
        shift ;;
      *) return @LEFT@ ;;
    esac
    shift
  done
  [ -n "$on" ] || return @LEFT@
  case $time in
    '') ;;
    0* | *[!0-9]*) return @LEFT@ ;;
    *) time="\"timeout\":$time" ;;
  esac
  if [ "$verb" = ping ]; then
    [ $# -eq 0 ] || return @LEFT@
    request="\"command\":\"cli-ping\"@{time:+,$time}"
  else
    case @{1-} in
      -q | --quiet)
        quiet=1
        shift ;;
    esac
    case @{1-} in
      '' | *[!A-Za-z0-9_.]*) return @LEFT@ ;;
    esac
    request="\"command\":\"cli-call\",\"method\":\"$1\",\"kwargs\":{$time}"
    shift
    for tail do
      case $tail in
        -* | *[!\ -~]*) return @LEFT@ ;;
      esac
    done
    for key do
      _midclt_quote "$key"
      args=$args,$quoted
    done
    request="$request,\"args\":[@{args#,}]"
  fi
  dir=@{MIDCLT_HOME-}
  if [ -z "$dir" ]; then
    [ -O "@{HOME-}" ] || return @LEFT@
    dir=$HOME/.midclt
  fi
  if [ -z "$uri" ]; then
    id=local
  else
    key=$uri@{user:+:$user}
    if [ "$key" != "@{_midclt_key-}" ]; then
      id=$(printf %s "$key" | sha256sum) || return @LEFT@
      _midclt_id=@{id%"@{id#????????????}"}
      _midclt_key=$key
    fi
    id=$_midclt_id
  fi
  case $uri in
    [Ww][Ss][Ss]:*) request="$request,\"insecure\":false" ;;
  esac
  sock=$dir/daemon-$id.sock
  case $sock in
    /*) ;;
    *) return @LEFT@ ;;
  esac
  [ -d "$dir" ] && [ -O "$dir" ] && [ ! -L "$dir" ] || return @LEFT@
  [ "$dir" = "@{_midclt_trusted-}" ] || _midclt_trust "$dir" || return @LEFT@
  [ -S "$sock" ] && [ -O "$sock" ] && [ ! -L "$sock" ] || return @LEFT@
  terminal=false
  [ -t 2 ] && terminal=true
  {
    @CONNECT@ <<MIDCLT || echo '!'
{$request,"terminal":$terminal,"close":true}
MIDCLT
  } 2>/dev/null | (
    peer=
    @PEER@
    _midclt_head || head=
    case $head in
      0) exec cat ;;
      1)
        [ -n "$quiet" ] || cat >&2
        exit 1 ;;
      '')
        echo 'Error: The daemon went away before it answered (it closed the connection); the outcome is unknown' >&2
        exit 1 ;;
      *) exit @LEFT@ ;;
    esac
  )
}`;

/**
 * Looks at the directories above the daemon's, as `lib/files/trust.ts` does.
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

/** For a shell whose `read` takes a timeout. With `sh` it is seen when the function is defined. */
export const ALWAYS_TIMED = '_midclt_timed=1';
export const SEE_IF_TIMED = String.raw`_midclt_timed=
if (IFS= read -t 1 -r _midclt_timed) 2>/dev/null <<MIDCLT
1
MIDCLT
then _midclt_timed=1
fi`;

/**
 * Waits for an answer's first line. A stopped daemon accepts connections and says nothing, as one does
 * that makes a long call: after some silence the program is asked which it is, and not before, since
 * that costs what the function is to save.
 *
 * `_midclt_head` sets `head` to the first line, or fails at the end of the answer; it exits with 1 when the daemon
 * is hung. A shell that can't time a `read` has another process watch meanwhile, which ends the connection.
 * `peer` is the process that keeps the connection, where that does not end by itself when nobody reads.
 */
export const WATCH = String.raw`
_midclt_hung() {
  text=$(MIDCLT_URI=$uri MIDCLT_USERNAME=$user command @PROGRAM@ daemon-status 2>&1 >/dev/null </dev/null)
  case $text in
    *'does not answer'*) [ -z "$again" ] || return 0
      again=1 pause=4 ;;
    *) again= pause=$((pause < 60 ? 2 * pause : 60)) ;;
  esac
  return 1
}
_midclt_give_up() {
  echo "@{text%%does not answer*}does not answer; the outcome is unknown@{text#*does not answer}" >&2
  [ -z "$peer" ] || kill "$peer" 2>/dev/null
}
_midclt_watch() {
  trap 'kill $nap 2>/dev/null; exit 0' TERM
  while :; do
    sleep "$pause" >/dev/null 2>&1 &
    nap=$!
    wait "$nap"
    if _midclt_hung; then
      _midclt_give_up
      exit 1
    fi
  done
}
_midclt_head() {
  again= pause=5 text= nap=
  if [ -n "$_midclt_timed" ]; then
    IFS= read -t "$pause" -r head && return 0
    pause=4
    while :; do
      time=$(date +%s)
      IFS= read -t "$pause" -r head && return 0
      time=$(($(date +%s) - time))
      # At the end of the answer a read fails at once.
      [ "$time" -lt 0 ] || [ "$time" -ge 2 ] || return 1
      if _midclt_hung; then
        _midclt_give_up
        exit 1
      fi
    done
  fi
  _midclt_watch &
  time=$!
  if IFS= read -r head; then text=1; fi
  kill "$time" 2>/dev/null
  # It may not have its trap yet: dash tells then how it ended.
  wait "$time" 2>/dev/null || [ $? -ne 1 ] || exit 1
  [ -n "$text" ]
}`;

/** In an "if", so that "set -e" does not end the shell for what is only left to the program. */
export const WHOLE = String.raw`
midclt() {
  if _midclt_fast "$@"; then
    return 0
  else
    set -- "$?" "$@"
  fi
  [ "$1" -eq @LEFT@ ] || return "$1"
  shift
  command @PROGRAM@ "$@"
}
`;
