/**
 * The part of the shell function that waits for an answer's first line. A stopped daemon accepts connections
 * and says nothing, as one does that makes a long call: after some silence the program is asked which it is,
 * and not before, since that costs what the function is to save.
 */

/** For a shell whose `read` takes a timeout. With `sh` it is seen when the function is defined. */
export const ALWAYS_TIMED = '_midclt_timed=1';
export const SEE_IF_TIMED = String.raw`_midclt_timed=
if (IFS= read -t 1 -r _midclt_timed) 2>/dev/null <<MIDCLT
1
MIDCLT
then _midclt_timed=1
fi`;

/**
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
  wait "$time" || [ $? -ne 1 ] || exit 1
  [ -n "$text" ]
}`;
