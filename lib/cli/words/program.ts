/** The words of what needs no TrueNAS, and of what finds out why one is not reached. */
import { TOPICS } from './topics.js';
import { flag, takes, type CommandWords } from './word.js';

export const SHELL_INIT: CommandWords = {
  summary: 'a shell function for fast calls in loops',
  reach: 'none',
  text: [
    "Print a shell function 'midclt', to be evaluated in scripts that make many calls: it makes '-d call' and '-d ping' itself, with nc or socat, in a tenth of the time this program takes to start. Everything else it leaves to the program: other commands and options (jobs, for one), arguments that begin with '-' or have other characters than printable ASCII, and calls without a daemon. What is printed, and the exit code, are the same.",
  ],
  arguments: [{ name: 'SHELL', kind: 'choice', is: 'the shell that evaluates it: {choices}' }],
  exits: ['printed', 'there is neither nc (that of OpenBSD) nor socat'],
  examples: [
    [
      'eval "$(midclt shell-init sh)"',
      'for user in alice bob; do',
      `  midclt -d call user.get_user_obj '{"username": "'$user'"}'`,
      'done',
    ].join('\n'),
  ],
  see: ['call', 'daemon'],
};

export const COMPLETION: CommandWords = {
  summary: 'completion of command lines, for your shell',
  reach: 'none',
  text: [
    'Print a script with which the shell completes what you type of a midclt command, at Tab: commands, options and their values, profiles, files, and the methods, events and jobs of the server.',
    "Methods and events are those that the server of -p, -u and -U has told last: to 'midclt methods', or to a daemon, which is asked in the background when a day has passed. Ids of jobs are those that a daemon tells of which runs and answers at once. To complete never waits for a server, and never logs in.",
  ],
  arguments: [{ name: 'SHELL', kind: 'choice', is: 'the shell: {choices}' }],
  sections: [
    {
      title: 'Where it goes',
      blocks: [
        {
          terms: [
            ['bash', 'the first of the examples, in ~/.bashrc'],
            ['zsh', 'the second, in ~/.zshrc, behind compinit'],
            ['fish', 'the third, once'],
          ],
        },
        'Or keep it in a file that the shell looks for by itself: midclt in ~/.local/share/bash-completion/completions, _midclt in a directory of $fpath.',
      ],
    },
  ],
  exits: ['printed'],
  examples: [
    'eval "$(midclt completion bash)"',
    'eval "$(midclt completion zsh)"',
    'midclt completion fish >~/.config/fish/completions/midclt.fish',
  ],
  see: ['methods', 'shell-init'],
};

export const SANDBOX: CommandWords = {
  summary: 'run a small simulated TrueNAS to try things on',
  reach: 'none',
  text: [
    'Run a small simulated TrueNAS until SIGTERM or SIGINT, to try midclt on or to test scripts with. It has a handful of methods and is no TrueNAS. It serves /api/current and /websocket. Its first line on stdout tells how to reach it; with --ws or --wss, the users and API keys follow.',
  ],
  options: {
    unix: takes(
      'PATH',
      'file',
      'listen on a Unix socket',
      '; no login needed (default, without --ws and --wss: one in the directory for temporary files)',
    ),
    ws: takes(
      'PORT',
      'number',
      'listen on a port of 127.0.0.1',
      ', 0 for any free one; log in as admin with the password admin-pw, or with one of the API keys it prints',
    ),
    wss: takes(
      'PORT',
      'number',
      'the same with TLS',
      ", and a new self-signed certificate for localhost and this machine's name",
    ),
    certificate: takes(
      'FILE',
      'file',
      'write that certificate to FILE',
      ' (PEM), for --ca-file FILE of the midclt that is to trust it',
    ),
  },
  exits: ['ended by a signal', 'could not listen, or not write FILE'],
  examples: [
    'midclt sandbox --unix /tmp/box.sock &',
    'midclt -u ws+unix:///tmp/box.sock daemon --detach',
    'midclt -u ws+unix:///tmp/box.sock -d call system.info',
    'midclt -u ws+unix:///tmp/box.sock -d call -j test.job 5',
    'midclt -u ws+unix:///tmp/box.sock daemon-stop',
    {
      note: 'With TLS; the certificate is written within a second or so',
      command: [
        'midclt sandbox --wss 4433 --certificate /tmp/box.pem &',
        'sleep 2',
        'midclt --ca-file /tmp/box.pem -u localhost:4433 -U admin -P admin-pw ping',
      ].join('\n'),
    },
  ],
  see: ['call', 'methods', 'daemon'],
};

export const DOCTOR: CommandWords = {
  summary: 'find out what is wrong, and what to do',
  reach: 'system',
  text: [
    'Look at everything between here and the middleware, in order, and say of each thing whether it is well, and if not, what to do next, in a line to paste: this program and what is around it, the profile, the daemon, the network, the certificate, the login, who that is there, and the clock.',
    'It puts nothing right by itself. A login that is given is tried, once; where none is, a daemon that runs is asked, else the terminal.',
  ],
  options: {
    json: flag(
      'print JSON',
      ', a line for each thing: "name", "state" (ok, warning, failed or skipped), "message" and "advice"',
    ),
  },
  timeout: 'for each step over the network (default 10)',
  exits: ['nothing failed', 'something did'],
  examples: [
    'midclt doctor',
    'midclt -p nas1 doctor',
    'midclt -u wss://nas1.example/api/current doctor --json',
  ],
  see: ['login', 'daemon-status', 'environment'],
};

export const HELP: CommandWords = {
  summary: 'tell more about a command or a topic',
  reach: 'none',
  text: [
    "Tell about a command, as 'midclt COMMAND -h' does, or about a topic. Without either: what there is.",
  ],
  arguments: [
    {
      ...{ name: 'TOPIC', kind: 'command' },
      is: `a command, of one word or two, or one of the topics ${Object.keys(TOPICS).join(', ')}`,
    },
  ],
  exits: ['told', undefined, 'there is no such command or topic, or wrong usage'],
  examples: ['midclt help call', 'midclt help job list', 'midclt help options'],
  see: ['options', 'environment'],
};

export const VERSION: CommandWords = {
  summary: 'show the version',
  reach: 'none',
  text: ["Print the program's name and version, as --version does."],
  exits: ['shown'],
  examples: ['midclt version'],
  see: ['daemon-status'],
};
