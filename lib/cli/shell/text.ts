/**
 * What the shell function and the launcher make of an answer, and what each is beside; how they make a request is in
 * `request-text.ts`. In these texts `@{` is `${`, and `init.ts` puts in the other words in `@`.
 *
 * A call forks for what looks at the directories above the daemon's (`ls`), for what connects (nc), for what reads
 * the answer, and where a shell can't time a `read` for what does (`sleep`): each fork costs more than all that is
 * no fork.
 */

/**
 * Waits for a line of an answer. A stopped daemon accepts connections and says nothing, as one does that makes a
 * long call: after some silence the program is asked which it is, and not before, since that costs what this is
 * to save.
 *
 * `_midclt_line` sets `head` to the next line, or fails at the end of the answer; it exits with 1 when the daemon is
 * hung, or whoever asked is gone: what a killed launcher had queued is not to be sent, so that is looked at after a
 * second (two, five, in a shell that can time a `read`), and then every five, and the program is asked after `pause`.
 * In a shell that can't time a `read` a process that sleeps interrupts it by its end.
 * `peer` is the process that keeps the connection, where that does not end by itself when nobody reads.
 */
export const WATCH = String.raw`
_midclt_hung() {
  text=$(
    unset NODE_EXTRA_CA_CERTS MIDCLT_PROFILE
    export MIDCLT_URI="$uri" MIDCLT_USERNAME="$user"
    [ -n "$uri" ] || set -- -p local
    _midclt_run "$@" daemon-status 2>&1 >/dev/null </dev/null
  )
  case $text in
    *'does not answer'*) [ -z "$again" ] || return 0
      again=1 pause=1 step=1
      [ -n "$nap" ] || step=3 ;;
    *) again= pause=$((pause < 5 ? 5 : pause < 60 ? 2 * pause : 60)) ;;
  esac
  return 1
}
_midclt_look() {
  waited=$((waited + step)) step=$((step < 5 ? step + 1 : 5))
  if ! kill -0 "$$" 2>/dev/null; then
    text=
  elif [ "$waited" -lt "$pause" ]; then
    return 0
  elif waited=0 && _midclt_hung; then
    echo "@{text%%does not answer*}does not answer; the outcome is unknown@{text#*does not answer}" >&2
  else
    return 0
  fi
  [ -z "$peer" ] || kill "$peer" 2>/dev/null
  exit 1
}
_midclt_nap() {
  rang=
  trap 'rang=1' CHLD
  LC_ALL=C sleep "$step" >/dev/null 2>&1 &
  nap=$!
}
_midclt_line() {
  if [ -z "$nap" ]; then
    IFS= read -t 2 -r head 2>/dev/null && return 0
    if [ $? -ne 2 ]; then
      waited=$((waited + 2)) step=$((step < 3 ? 3 : step))
      while :; do
        time=$(date +%s)
        IFS= read -t "$step" -r head && return 0
        time=$(($(date +%s) - time))
        # At the end of the answer a read fails at once.
        [ "$time" -lt 0 ] || [ "$time" -ge 2 ] || return 1
        _midclt_look
      done
    fi
    _midclt_nap
  fi
  while :; do
    if IFS= read -r head; then return 0; fi
    [ -n "$rang" ] || return 1
    trap - CHLD
    _midclt_look
    _midclt_nap
  done
}`;

/** Prints the answer as the program would. Exits with its code, or @LEFT@ if nothing was run. */
export const ANSWER = String.raw`
_midclt_lost() {
  echo 'Error: The daemon went away before it answered (it closed the connection); the outcome is unknown' >&2
  exit 1
}
_midclt_rest() {
  unset NODE_EXTRA_CA_CERTS
  _midclt_run shell-answer "$@"
  exit
}
# Would a write to stdout wait for its reader?
_midclt_waits() {
  while read -r head code; do
    case $head:$code in
      flags:*:*[4-7]???) return 1 ;;
      flags:*) return 0 ;;
    esac
  done 2>/dev/null </proc/self/fdinfo/1
  return 1
}
_midclt_answer() {
  taken= nap= rang= again= pause=5 step=1 waited=0
  trap 'kill -9 $nap $peer 2>/dev/null; exit 1' TERM
@PEER@  while :; do
    _midclt_line || head=end
    [ -z "$head" ] || break
    taken=1
  done
  if [ -n "$nap" ]; then
    trap - CHLD
    # In a child that is still this shell, another signal would run its trap.
    kill -9 "$nap" 2>/dev/null
  fi
  case $head in
    '{'*) exit @LEFT@ ;;
    frame)
      export MIDCLT_URI="$uri" MIDCLT_USERNAME="$user"
      _midclt_rest frame @{quiet:+-q} ;;
    [01]\ *) ;;
    *)
      [ -n "$taken" ] || exit @LEFT@
      _midclt_lost ;;
  esac
  code=@{head%% *} rest=@{head#* }
  size=@{rest% *} lines=@{rest#* }
  [ "$code$quiet" != 11 ] || exit 1
  trap '' PIPE
  if [ "$lines" -gt 0 ]; then
    text=
    while [ "$lines" -gt 0 ]; do
      IFS= read -r head || _midclt_lost
      text=$text$head$_midclt_newline
      lines=$((lines - 1))
    done
    if [ "$code" = 1 ]; then
      printf %s "$text" >&2 2>/dev/null
      exit 1
    fi
    printf %s "$text" 2>/dev/null && exit 0
    _midclt_rest copy "$size" <<MIDCLT
@{text%?}
MIDCLT
  fi
  if [ "$code" = 1 ]; then
    cat >&2 2>/dev/null
    exit 1
  fi
  _midclt_waits || _midclt_rest copy "$size"
  { count=$(LC_ALL=C dd bs=65536 2>&1 >&9 9>&-); } 9>&1 || _midclt_rest broken
  case $count in
    *"$_midclt_newline$size byte"*) exit 0 ;;
  esac
  _midclt_lost
}`;

/** Sends the request to `$sock`, and answers. */
export const CALL = String.raw`
  @CONNECT@ 2>/dev/null <<MIDCLT | (_midclt_answer)
$request
MIDCLT`;

/**
 * The same of a process that may be killed, which is nobody's shell: it waits for the others, so that it hears a
 * signal at once, and takes with it who holds its stdout.
 */
export const LAUNCHER_CALL = String.raw`
  if command -v nc.openbsd >/dev/null 2>&1; then
    set -- nc.openbsd -U "$sock"
  elif command -v socat >/dev/null 2>&1; then
    set -- sh -c 'echo "$$"; exec socat -t 86400 - "UNIX-CONNECT:$1"' sh "$sock"
    numbered=1
  elif command -v nc >/dev/null 2>&1; then
    set -- nc -U "$sock"
  else
    return @LEFT@
  fi
  for text in HUP INT QUIT TERM; do
    trap "kill \"\$!\" 2>/dev/null; trap - $text; kill -s $text \"\$\$\"" "$text"
  done
  "$@" 2>/dev/null <<MIDCLT | (_midclt_answer) &
$request
MIDCLT
  wait "$!"`;

/** What the launcher does where it is sure to be a client. A person at a terminal is told more than scripts are: by the program. */
export const LAUNCHER_CLIENT = String.raw`  _midclt_client=1
  [ ! -t 2 ] || return @LEFT@
`;

/** The program itself, whatever functions and aliases there are. */
export const RUN = String.raw`
_midclt_run() {
  command @PROGRAM@ "$@"
}`;

/** What `midclt` does. In an "if", so that "set -e" does not end the shell for what is only left to the program. */
const BODY = String.raw`
  if _midclt_fast "$@"; then
    return 0
  else
    set -- "$?" "$@"
  fi
  [ "$1" -eq @LEFT@ ] || return "$1"
  shift
  _midclt_run "$@"
}`;

/** Defines it where an alias may have the name already, which goes on to be one, of the function. */
export const FUNCTION = String.raw`
function midclt {${BODY}
`;

/** Where a name before "()" is always the alias's: without it for that moment, in an "eval", which is read after that. */
export const POSIX_FUNCTION = String.raw`
_midclt_alias=$(alias midclt 2>/dev/null) || _midclt_alias=
unalias midclt 2>/dev/null || :
eval 'midclt() {${BODY}'
[ -z "$_midclt_alias" ] || eval "alias @{_midclt_alias#alias }"
unset _midclt_alias
`;

/** What npm installs as `midclt`. It is read no further than it is run. */
export const LAUNCHER_HEAD = String.raw`#!/bin/sh
# midclt: makes the common calls through a running daemon itself, and leaves all else to midclt.js, beside this file.
[ -z "@{ZSH_VERSION-}" ] || emulate sh
_midclt_run() {
  program=$0
  case $program in
    */*) ;;
    *) [ -e "$program" ] && program=./$program || program=$(command -v "$program") ;;
  esac
  # As npm lays it out; to follow a link takes a process.
  link=@{program%/*}/../lib/node_modules/midclt/dist/bin/midclt
  [ "$program" -ef "$link" ] 2>/dev/null && program=$link
  while [ -L "$program" ]; do
    link=$(readlink "$program") || exit 126
    case $link in
      /*) program=$link ;;
      *) program=@{program%/*}/$link ;;
    esac
  done
  command -v node >/dev/null 2>&1 || {
    echo 'Error: midclt needs Node 20.19 or later, and there is no node in PATH' >&2
    exit 127
  }
  # Node sets signals back to their defaults as it starts. That SIGHUP is ignored, as nohup has it, is to be told.
  unset MIDCLT_NOHUP
  if [ -r /proc/self/status ]; then
    while read -r key rest; do
      case $key$rest in
        SigIgn:*[13579bdf]) export MIDCLT_NOHUP=1 ;;
      esac
    done </proc/self/status
  else
    case $(trap) in
      *"-- '' HUP"* | *"-- '' SIGHUP"*) export MIDCLT_NOHUP=1 ;;
    esac
  fi
  exec node "@{program%/*}/midclt.js" "$@"
}
case @{MIDCLT_LAUNCHER-}:@{MIDCLT_USE_DAEMON-}:@{1-} in
  0:*) _midclt_run "$@" ;;
  *::-[dpuUt] | *::--use-daemon | *::--profile | *:?*:*) ;;
  *) _midclt_run "$@" ;;
esac
_midclt_client= _midclt_key= _midclt_trusted=
`;

export const LAUNCHER_TAIL = String.raw`
if _midclt_fast "$@"; then
  exit 0
else
  _midclt_code=$?
fi
[ "$_midclt_code" -eq @LEFT@ ] || exit "$_midclt_code"
# A client of the daemon verifies no certificates, and to read a file of many triples Node's start.
if [ -n "$_midclt_client" ] && [ -r "@{NODE_EXTRA_CA_CERTS-}" ]; then
  export MIDCLT_EXTRA_CA_CERTS="$NODE_EXTRA_CA_CERTS"
  unset NODE_EXTRA_CA_CERTS
fi
_midclt_run "$@"
`;
