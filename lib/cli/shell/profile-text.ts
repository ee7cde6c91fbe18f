/**
 * How the shell function and the launcher find out which profile counts, and read it, as `lib/cli/args/environment.ts`
 * and `lib/profiles` do; see `text.ts`.
 *
 * A shell has no TOML. It reads the file only if all of it is in the form in which `profile add` writes it, so that no
 * line can mean something else to the program, or be an error to it.
 */

/**
 * Sets `uri`, `user` and `insecure` to what the profile says, if one counts, and `file` to the profiles that were read.
 * Fails if that is left to the program. `given` has the letters of `-p`, `-u` and `-U`, as often as they were given.
 */
export const SYSTEM = String.raw`
_midclt_system() {
  case $given in
    *p*) ;;
    *u*) return 0 ;;
    *) profile=@{MIDCLT_PROFILE-} ;;
  esac
  if [ -z "$profile" ]; then
    [ -z "@{MIDCLT_URI-}@{LISTEN_FDS-}" ] || return 0
  else
    [ -z "@{given#p}" ] || return 1
  fi
  case $profile in
    local)
      uri= user=
      return 0 ;;
    all | *[!A-Za-z0-9_.-]*) return 1 ;;
  esac
  file=@{XDG_CONFIG_HOME-}
  case $file in
    /*) [ ! -e "$file" ] || [ -O "$file" ] || file= ;;
    *) file= ;;
  esac
  if [ -z "$file" ]; then
    # Without one's own HOME it is the user's of the password database.
    case @{HOME-} in
      /*) [ -O "$HOME" ] || return 1 ;;
      *) return 1 ;;
    esac
    file=$HOME/.config
  fi
  file=$file/midclt/profiles.toml
  if [ ! -e "$file" ]; then
    file=
    [ -z "$profile" ]
    return
  fi
  [ -z "@{given#p}" ] && [ -f "$file" ] && [ -O "$file" ] && [ ! -L "$file" ] && _midclt_profile
}`;

/** Many a shell reads byte by byte. What is beyond these is read sooner by another process. */
const SLOW_BYTES = 1024;
/** With more the program is as quick. */
const MOST_BYTES = 65_536;

/**
 * Reads `$profile`, or the default one, from `$file`, and sets `size` to the bytes that it has read: fewer than there
 * are, if there are some that shells leave out.
 */
export const PROFILE = String.raw`
# Takes a text in quotes off the start of rest.
_midclt_text() {
  value=@{rest#?}
  rest=@{value#*\"} value=@{value%%\"*}
  case $value in
    '' | *\\* | *[!\ -~]*) return 1 ;;
  esac
}
# Takes the value of a key off the start of rest. A list of texts has none for a value.
_midclt_value() {
  case $rest in
    \"*\"*)
      kind=text
      _midclt_text
      return ;;
    [tf]*)
      kind=flag value=@{rest%%[!a-z]*}
      rest=@{rest#"$value"}
      [ "$value" = true ] || [ "$value" = false ]
      return ;;
    \[*) kind=list rest=@{rest#?} ;;
    *) return 1 ;;
  esac
  while :; do
    rest=@{rest#"@{rest%%[! ]*}"}
    case $rest in
      \"*\"*) _midclt_text || return 1 ;;
      \]*) break ;;
      *) return 1 ;;
    esac
    rest=@{rest#"@{rest%%[! ]*}"}
    case $rest in
      ,*) rest=@{rest#?} ;;
      \]*) ;;
      *) return 1 ;;
    esac
  done
  rest=@{rest#?}
}
_midclt_member() {
  key=@{rest%%[!a-z_]*}
  case $keys in
    *" $key "*) return 1 ;;
  esac
  keys="$keys$key "
  rest=@{rest#"$key"}
  rest=@{rest#"@{rest%%[! ]*}"}
  case $rest in
    =*) rest=@{rest#?} ;;
    *) return 1 ;;
  esac
  rest=@{rest#"@{rest%%[! ]*}"}
  _midclt_value || return 1
  case @{table:+in}:$key:$kind in
    :default:text)
      [ -n "$profile" ] || profile=$value
      return ;;
    in:api_key_file:text | in:password_file:text)
      # One of them may be there.
      case $keys in
        *api_key_file*password_file* | *password_file*api_key_file*) return 1 ;;
      esac ;;
    in:uri:text | in:username:text | in:ca_file:text | in:groups:list) ;;
    in:insecure:flag | in:plain:flag | in:no_channel_binding:flag) ;;
    *) return 1 ;;
  esac
  [ "$table" != "$profile" ] || case $key in
    uri) uri=$value ;;
    username) user=$value ;;
    insecure) insecure=$value ;;
  esac
}
_midclt_table() {
  table=@{rest#*.}
  case $table in
    \"*)
      table=@{table#?}
      rest=@{table#*\"\]} table=@{table%%\"\]*} ;;
    *.*\]*) return 1 ;;
    *) rest=@{table#*\]} table=@{table%%\]*} ;;
  esac
  case $table in
    '' | [.-]* | all | local | *[!A-Za-z0-9_.-]*) return 1 ;;
  esac
  case $tables in
    *" $table "*) return 1 ;;
  esac
  tables="$tables$table " keys=' '
  [ @{#table} -le 64 ]
}
_midclt_entry() {
  rest=@{rest#"@{rest%%[! ]*}"}
  case $rest in
    \[profile.*) _midclt_table || return 1 ;;
    [a-z]*) _midclt_member || return 1 ;;
  esac
  rest=@{rest#"@{rest%%[! ]*}"}
  case $rest in
    '') ;;
    \#*)
      case $rest in
        *[[:cntrl:]]*) return 1 ;;
      esac ;;
    *) return 1 ;;
  esac
}
_midclt_profile() {
  local key keys=' ' kind rest table= tables=' ' text= value IFS="$_midclt_newline"
  uri= user= size=0
  {
    while IFS= read -r rest || [ -n "$rest" ]; do
      size=$((size + @{#rest} + 1))
      _midclt_entry || return 1
      if [ "$size" -ge ${SLOW_BYTES} ]; then
        text=$(command cat) || return 1
        break
      fi
    done <"$file"
  } 2>/dev/null || return 1
  if [ -n "$text" ]; then
    size=$((size + @{#text} + 1))
    [ "$size" -le ${MOST_BYTES} ] || return 1
    case $- in
      *f*) set -- $text ;;
      *)
        set -f
        set -- $text
        set +f ;;
    esac
    for rest do
      _midclt_entry || return 1
    done
  fi
  case $profile in
    '' | local) ;;
    *) [ -n "$uri" ] ;;
  esac
}`;
