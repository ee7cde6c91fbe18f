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
