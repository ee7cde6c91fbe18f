/** What `-h` prints of profiles, and of the commands that make them. */
import type { ProfileCommand } from '../args/arguments.js';

export const PROFILE = `\
usage: midclt profile COMMAND [ARGUMENT ...]

Systems by name: where each is, who logs in there, and the file that proves it.
With -p NAME any command is for that system.

Commands:
  add NAME -u URI ...       keep a system under a name ('midclt login NAME' asks
                            for what is needed)
  list                      the systems that have a name
  show NAME                 what is kept of one
  remove NAME               forget one
  default [NAME]            the one that counts without -p, -u and variables
  'midclt profile COMMAND -h' tells more about each.

They are kept in ~/.config/midclt/profiles.toml ($XDG_CONFIG_HOME is heeded), a
file to edit by hand, too:

  default = "nas1"

  [profile.nas1]
  uri = "wss://nas1.example/api/current"
  username = "admin"
  api_key_file = "keys/nas1"      # or password_file
  insecure = true                 # or plain, no_channel_binding
  groups = ["rack1"]

Which counts: -p, else -u, else MIDCLT_PROFILE, else MIDCLT_URI, else the
default. The other options replace what the profile says. '-p local' is no
profile: the middleware of this machine.
`;

export const PROFILE_HELP: Readonly<Record<ProfileCommand, string>> = {
  'profile add': `\
usage: midclt profile add NAME -u URI [-U USER] [-K FILE] [OPTION ...]

Keep a system under a name, if the login works. No secret is kept, only the path
of a file that holds it.

Options:
  -u, --uri URI             the system: a host ('nas1.example'), the address of
                            its web interface, or a URI as for every command
  -U, --username USER       who logs in
  -K, --api-key FILE        a file with that user's API key
  --password-file FILE      a file with that user's password. Without either one
                            is asked for when a daemon is started
  -g, --group NAME          a group it belongs to, for -p @NAME; may be repeated
  --insecure, --plain, --no-channel-binding
                            kept as well; see 'midclt -h'
  --no-check                do not try the login
  -h, --help                show this help

Exit codes:
  0  added      1  the login failed, or the name is taken      2  wrong usage

Example:
  midclt profile add nas1 -u nas1.example -U admin -K ~/nas1.key -g rack1
`,
  'profile list': `\
usage: midclt profile list [--json] [--ansible]

List the systems that have a name; an asterisk marks the default.

Options:
  --json                    a line of JSON each
  --ansible                 an inventory for Ansible: systems are hosts, groups
                            are groups
  -h, --help                show this help

Example:
  midclt profile list --ansible > inventory.json
`,
  'profile show': `\
usage: midclt profile show [--json] NAME

Tell what is kept of a system, and where the socket of its daemon is.

Options:
  --json                    as JSON
  -h, --help                show this help
`,
  'profile remove': `\
usage: midclt profile remove NAME

Forget a system. An API key that 'midclt login' has put beside the profiles is
removed, too; at the server it stays valid until it is deleted there.

Options:
  -h, --help                show this help
`,
  'profile default': `\
usage: midclt profile default [--none] [NAME]

Say which system counts where nothing else says so, or print its name.

Options:
  --none                    there is to be none
  -h, --help                show this help

Exit codes:
  0  done      1  there is no default, or no such profile      2  wrong usage
`,
};

export const LOGIN = `\
usage: midclt login NAME [-u URI] [-U USER] [-K FILE] [-g GROUP]

Ask on the terminal for what is needed to log in to a system, try it, and keep
it as the profile NAME. An API key that is given, or made if you like, is kept
in a file that only you can read; a password is not.

Options:
  -u, --uri URI             the system, if it is not to be asked for
  -U, --username USER       who logs in, if that is not to be asked for
  -K, --api-key FILE        a file with the API key
  -g, --group NAME          a group it belongs to, for -p @NAME; may be repeated
  -h, --help                show this help

Exit codes:
  0  kept        1  the login failed        2  wrong usage

Example:
  midclt login nas1
  midclt -p nas1 call system.info
`;
