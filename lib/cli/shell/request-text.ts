/**
 * How the shell function and the launcher make a request, and find the daemon for it; see `text.ts`.
 */

/** `_midclt_quote TEXT` sets `quoted` to the JSON string of printable ASCII, newlines and tabs. */
export const QUOTE = String.raw`
_midclt_quote() {
  quoted=@{1//\\/\\\\}
  quoted=@{quoted//\"/\\\"}
  quoted=@{quoted//$_midclt_newline/\\n}
  quoted=\"@{quoted//$_midclt_tab/\\t}\"
}`;

/** Without the substitution that not every shell has. */
export const POSIX_QUOTE = String.raw`
_midclt_quote() {
  quoted= rest=$1
  while :; do
    case $rest in
      *[\"\\"$_midclt_newline$_midclt_tab"]*) ;;
      *) break ;;
    esac
    head=@{rest%%[\"\\"$_midclt_newline$_midclt_tab"]*}
    rest=@{rest#"$head"}
    tail=@{rest#?}
    rest=@{rest%"$tail"}
    case $rest in
      "$_midclt_newline") rest=n ;;
      "$_midclt_tab") rest=t ;;
    esac
    quoted=$quoted$head\\$rest
    rest=$tail
  done
  quoted=\"$quoted$rest\"
}`;

/**
 * Makes the call, or returns @LEFT@ if nothing was sent, or nobody has read it. What the shell can't tell exactly
 * from what the program would read is left, too.
 */
export const FAST = String.raw`
_midclt_newline='
' _midclt_tab='	'
_midclt_fast() {
@EMULATION@@CONSTANTS@  local uri user given profile insecure file size on time quiet verb request args quoted rest head tail dir id key names trust sock terminal numbered peer pause step waited again text nap rang taken code lines count LC_ALL=C || return @LEFT@
  uri=@{MIDCLT_URI-} user=@{MIDCLT_USERNAME-} time=@{CALL_TIMEOUT-} on= quiet= args=
  given= profile= insecure=false file= size=
  case @{MIDCLT_USE_DAEMON-} in
    '' | 0 | no | false | off) ;;
    1 | yes | true | on) on=1 ;;
    *) return @LEFT@ ;;
  esac
  while :; do
    case @{1-} in
      -d | --use-daemon) on=1 ;;
      call | ping)
        verb=$1
        shift
        break ;;
      -p | --profile | -u | -U | -t)
        case @{2-} in
          '' | -*) return @LEFT@ ;;
        esac
        case $1 in
          -u) uri=$2 given=u$given ;;
          -U) user=$2 given=U$given ;;
          -t) time=$2 ;;
          *) profile=$2 given=p$given ;;
        esac
        shift ;;
      *) return @LEFT@ ;;
    esac
    shift
  done
  [ -n "$on" ] || return @LEFT@
@CLIENT@  # Only the program knows what is to become of a descriptor that is closed.
  { true 9<&0 9>&1; } 9>&2 2>/dev/null || return @LEFT@
  case $time in
    '') ;;
    0* | *[!0-9]* | ??????????*) return @LEFT@ ;;
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
        -* | *[!\ -~"$_midclt_newline$_midclt_tab"]*) return @LEFT@ ;;
      esac
      [ @{#tail} -le 8192 ] || return @LEFT@
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
  _midclt_system || return @LEFT@
  case $uri in
    '' | [Ww][Ss]://* | [Ww][Ss]+[Uu][Nn][Ii][Xx]://*) ;;
    [Ww][Ss][Ss]://*) request="$request,\"insecure\":$insecure" ;;
    *) return @LEFT@ ;; # an address, of which only the program knows which URI it means
  esac
  case $dir in
    /*) ;;
    *) return @LEFT@ ;;
  esac
  key= names=
  [ -z "$uri" ] || key=$uri@{user:+:$user} names=$dir/daemon-names
  [ -d "$dir" ] && [ -O "$dir" ] && [ ! -L "$dir" ] || return @LEFT@
  trust=$dir@{file:+/$_midclt_newline$file $size $insecure $key}
  [ "$trust" = "@{_midclt_trusted-}" ] || _midclt_trust || return @LEFT@
  id=local
  [ -z "$key" ] || _midclt_name || return @LEFT@
  sock=$dir/daemon-$id.sock
  [ -S "$sock" ] && [ -O "$sock" ] && [ ! -L "$sock" ] || return @LEFT@
  # The Python daemon takes none of these requests, and may be busy for long before it says so.
  head=
  { IFS= read -r head <"$dir/daemon-$id.pid"; } 2>/dev/null
  case $head in
    '' | *[!0-9]*) ;;
    *)
      rest=
      { IFS= read -r rest <"/proc/$head/comm"; } 2>/dev/null
      case $rest in
        python* | midclt) return @LEFT@ ;;
      esac ;;
  esac
  terminal=false numbered= peer=
  [ -t 2 ] && terminal=true
  request="{$request,\"terminal\":$terminal,\"sized\":true,\"least\":\"@VERSION@\",\"close\":true}"
@CALL@
}`;

/**
 * Sets `id` to the name of the daemon of `$key`: from memory, from the file `$names` of all that were asked for
 * (in a directory where nobody else can put one), or from another program, after which it is in both.
 */
export const NAME = String.raw`
_midclt_name() {
  local known number=0 IFS=' '
  if [ "$key" = "@{_midclt_key-}" ]; then
    id=$_midclt_id
    return 0
  fi
  case $key in
    *[!\ -~]*) return 1 ;;
  esac
  known=
  if [ ! -e "$names" ] && [ ! -L "$names" ]; then
    :
  elif [ -f "$names" ] && [ -O "$names" ] && [ ! -L "$names" ]; then
    while read -r id known; do
      [ "$known" != "$key" ] || break
      number=$((number + 1))
    done <"$names"
  else
    number=-1
  fi
  if [ "$known" != "$key" ]; then
    id=$(printf %s "$key" | LC_ALL=C sha256sum 2>/dev/null) || return 1
    id=@{id%"@{id#????????????}"}
  fi
  case $id in
    ???????????? ) ;;
    *) return 1 ;;
  esac
  case $id in
    *[!0-9a-f]*) return 1 ;;
  esac
  if [ "$known" != "$key" ] && [ "$number" -ge 0 ]; then
    (
      umask 077
      [ "$number" -lt 50 ] || rm -f "$names"
      printf '%s %s\n' "$id" "$key" >>"$names"
    ) 2>/dev/null || :
  fi
  _midclt_id=$id _midclt_key=$key
}`;

/**
 * Looks at the directories above the daemon's and at those above the profiles, as `lib/files/trust.ts` does.
 *
 * One `ls` does it, once a shell, and again when the profiles say something else. Anything but root's and one's own is
 * left to the program, and so are links, and a daemon's directory that others can enter, which it makes private. Of
 * the file of names in it, and of that of the profiles, it is known by then that they are one's own.
 */
export const TRUST = String.raw`
# Takes a field off the start of rest.
_midclt_field() {
  rest=@{rest#* }
  rest=@{rest#"@{rest%%[! ]*}"}
}
_midclt_trust() {
  local list mode owner rest own private part LC_ALL=C
  case $dir$file in
    *[!\ -~]*) return 1 ;;
  esac
  set --
  for rest in "$dir" @{file:+"$file"}; do
    part=$rest
    set -- "$part" "$@"
    while [ -n "@{part%/*}" ]; do
      part=@{part%/*}
      set -- "$part" "$@"
    done
  done
  [ ! -f "$names" ] || [ ! -O "$names" ] || set -- "$@" "$names"
  list=$(LC_ALL=C command ls -ldn / "$@") || return 1
  own= private=
  # A read would take its bytes one by one.
  while [ -n "$list" ]; do
    mode=@{list%% *} rest=@{list%%"$_midclt_newline"*}
    list=@{list#"$rest"}
    list=@{list#"$_midclt_newline"}
    _midclt_field
    _midclt_field
    owner=@{rest%% *}
    case $mode:$rest in
      drwx------*:*" $dir") private=$owner ;;
      *:*" $dir") return 1 ;;
      d????-??-*:* | d????????[Tt]*:*) ;;
      -rw-------*:*" $names") continue ;;
      -????-??-*:*" $file")
        _midclt_field
        _midclt_field
        [ "@{rest%% *}" = "$size" ] || return 1
        continue ;;
      *) return 1 ;;
    esac
    if [ "$owner" != 0 ]; then
      [ "@{own:-$owner}" = "$owner" ] || return 1
      own=$owner
    fi
  done
  [ -n "$private" ] && [ "@{own:-$private}" = "$private" ] || return 1
  _midclt_trusted=$trust
}`;
