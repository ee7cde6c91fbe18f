/** The words of profiles, and of the commands that make them. */
import type { ProfileCommand } from '../args/arguments.js';
import { flag, takes, type ArgumentWords, type CommandWords, type GroupWords } from './word.js';

const NAME: ArgumentWords = { name: 'NAME', kind: 'profile', is: 'the name of a profile' };
const NEW_NAME: ArgumentWords = { name: 'NAME', kind: 'text', is: 'the name it is to have' };

const GROUP = takes('NAME', 'group', 'a group it belongs to', ', for -p @NAME; may be repeated');

/** The same words: one line of the help for all three. */
const KEPT = flag('keep this, too', "; see 'midclt help options'");

const KEPT_FILE = takes('FILE', 'file', 'keep this, too', "; see 'midclt help options'");

export const PROFILE: GroupWords = {
  summary: 'the systems that have a name: add, list, show, …',
  reach: 'none',
  text: [
    'Systems by name: where each is, who logs in there, and the file that proves it. With -p NAME any command is for that system.',
  ],
  sections: [
    {
      title: 'Where they are kept',
      blocks: [
        'In ~/.config/midclt/profiles.toml ($XDG_CONFIG_HOME is heeded), a file to edit by hand, too:',
        {
          lines: [
            'default = "nas1"',
            '',
            '[profile.nas1]',
            'uri = "wss://nas1.example/api/current"',
            'username = "admin"',
            'api_key_file = "keys/nas1"      # or password_file',
            'ca_file = "authority.pem"       # or insecure = true',
            'plain = true                    # or no_channel_binding',
            'groups = ["rack1"]',
          ],
        },
      ],
    },
    {
      title: 'Which counts',
      blocks: [
        "-p, else -u, else MIDCLT_PROFILE, else MIDCLT_URI, else the default. The other options replace what the profile says. '-p local' is no profile: the middleware of this machine.",
      ],
    },
    {
      title: 'Several at once',
      blocks: [
        "'-p nas1,nas2', '-p @rack1' (a group) and '-p all' ask several systems, as 'midclt help options' tells.",
      ],
    },
  ],
  see: ['login', 'profile add', 'options'],
};

export const PROFILE_WORDS: Readonly<Record<ProfileCommand, CommandWords>> = {
  'profile add': {
    summary: 'keep a system under a name',
    reach: 'none',
    usage: 'NAME -u URI [-U USER] [-K FILE] [OPTION ...]',
    text: [
      "Keep a system under a name, if the login works. No secret is kept, only the path of a file that holds it. 'midclt login NAME' asks for what is needed.",
    ],
    arguments: [NEW_NAME],
    options: {
      uri: {
        ...takes('URI', 'uri', 'the system'),
        more: ": a host ('nas1.example'), the address of its web interface, or a URI as for every command",
        isRequired: true,
      },
      username: takes('USER', 'user', 'who logs in'),
      apiKey: takes('FILE', 'file', "a file with that user's API key"),
      passwordFile: takes(
        'FILE',
        'file',
        "a file with that user's password",
        '. Without either one is asked for when a daemon is started',
      ),
      group: GROUP,
      caFile: KEPT_FILE,
      insecure: KEPT,
      plain: KEPT,
      noChannelBinding: KEPT,
      check: flag('do not try the login'),
    },
    exits: ['added', 'the login failed, or the name is taken'],
    examples: ['midclt profile add nas1 -u nas1.example -U admin -K ~/nas1.key -g rack1'],
    see: ['login', 'profile show', 'profile default'],
  },
  'profile list': {
    summary: 'list the systems that have a name',
    reach: 'none',
    text: ['List the systems that have a name; an asterisk marks the default.'],
    options: {
      json: flag('print a line of JSON each'),
      ansible: flag('print an inventory for Ansible', ': systems are hosts, groups are groups'),
    },
    exits: ['listed', 'the file of profiles could not be read'],
    examples: ['midclt profile list --ansible > inventory.json'],
    see: ['profile show', 'profile add', 'login'],
  },
  'profile show': {
    summary: 'tell what is kept of a system',
    reach: 'none',
    text: ['Tell what is kept of a system, and where the socket of its daemon is.'],
    arguments: [NAME],
    options: { json: flag('print it as JSON') },
    exits: ['shown', 'there is no such profile'],
    examples: ['midclt profile show nas1'],
    see: ['profile list', 'daemon-status'],
  },
  'profile remove': {
    summary: 'forget a system',
    reach: 'none',
    text: [
      "Forget a system. An API key that 'midclt login NAME' has put beside the profiles is removed, too; at the server it stays valid until it is deleted there.",
    ],
    arguments: [NAME],
    exits: ['removed', 'there is no such profile'],
    examples: ['midclt profile remove nas1'],
    see: ['profile list', 'profile add'],
  },
  'profile default': {
    summary: 'say which system counts without -p and -u',
    reach: 'none',
    text: ['Say which system counts where nothing else says so, or print its name.'],
    arguments: [NAME],
    options: { none: flag('let there be none') },
    exits: ['done', 'there is no default, or no such profile'],
    examples: ['midclt profile default nas1'],
    see: ['profile list', 'profile show'],
  },
};

export const LOGIN: CommandWords = {
  summary: 'log in to a system, and keep it under a name',
  reach: 'none',
  usage: 'NAME [-u URI] [-U USER] [-K FILE] [OPTION ...]',
  text: [
    'Ask on the terminal for what is needed to log in to a system, try it, and keep it as the profile NAME. An API key that is given, or made if you like, is kept in a file that only you can read; a password is not. No secret is sent before you have seen where it goes.',
  ],
  arguments: [NEW_NAME],
  options: {
    uri: takes('URI', 'uri', 'the system', ', if it is not to be asked for'),
    username: takes('USER', 'user', 'who logs in', ', if that is not to be asked for'),
    apiKey: takes('FILE', 'file', 'a file with the API key'),
    passwordFile: takes('FILE', 'file', "a file with that user's password"),
    group: GROUP,
    caFile: KEPT_FILE,
    insecure: KEPT,
    plain: KEPT,
    noChannelBinding: KEPT,
  },
  exits: ['kept', 'the login failed'],
  examples: ['midclt login nas1', 'midclt -p nas1 call system.info'],
  see: ['profile list', 'call'],
};

export const TRUST: CommandWords = {
  summary: 'trust a certificate that no authority vouches for',
  reach: 'system',
  usage: '[HOST] [--fingerprint SHA256] [--list] [--remove]',
  text: [
    'Show the certificate of a server, over a connection that nothing is sent over, and ask whether to trust it. From then on the server must show that very certificate, to direct calls, daemons and transfers alike; another one is refused, whoever signed it. So after the server has renewed its certificate, trust the new one: a daemon that waits for it goes on by itself.',
    'Compare the fingerprint with what the server itself tells. In a shell on a TrueNAS:',
    {
      lines: [
        'openssl x509 -noout -fingerprint -sha256 \\',
        '  -in /etc/certificates/truenas_default.crt',
      ],
    },
    'Where its web UI has another certificate than the default one, that is /etc/certificates/NAME.crt.',
  ],
  arguments: [
    {
      name: 'HOST',
      kind: 'uri',
      is: 'a host, with its port unless that is 443, or an address as for -u; without it the system of -p',
    },
  ],
  options: {
    fingerprint: takes(
      'SHA256',
      'text',
      'ask nobody',
      ': trust the certificate if this is its fingerprint, however that is written',
    ),
    list: flag('print what is trusted'),
    remove: flag('leave it to authorities again'),
  },
  exits: ['trusted', 'not trusted, or there is no connection'],
  examples: ['midclt trust nas.example', 'midclt -u nas.example call system.info'],
  see: ['login', 'files', 'options'],
};
