/** What `sandbox -h` prints. */
export const SANDBOX = `\
usage: midclt sandbox [--unix PATH] [--ws PORT]
                      [--wss PORT [--certificate FILE]]

Run a small simulated TrueNAS until SIGTERM or SIGINT, to try midclt on or to
test scripts with. It has a handful of methods and is no TrueNAS. It serves
/api/current and /websocket. Its first line on stdout tells how to reach it;
with --ws or --wss, the users and API keys follow.

Options:
  --unix PATH               listen on a Unix socket; no login needed
                            (default, without --ws and --wss: one in the
                            directory for temporary files)
  --ws PORT                 listen on a port of 127.0.0.1, 0 for any free one;
                            log in as admin with the password admin-pw, or
                            with one of the API keys it prints
  --wss PORT                the same with TLS, and a new self-signed certificate
                            for localhost and this machine's name
  --certificate FILE        write that certificate to FILE (PEM); a midclt that
                            has NODE_EXTRA_CA_CERTS=FILE in its environment
                            trusts it
  -h, --help                show this help

Exit codes:
  0  ended by a signal
  1  could not listen, or not write FILE
  2  wrong usage

Examples:
  midclt sandbox --unix /tmp/box.sock &
  midclt -u ws+unix:///tmp/box.sock daemon &
  midclt -u ws+unix:///tmp/box.sock -d call system.info
  midclt -u ws+unix:///tmp/box.sock -d call -j test.job 5
  midclt -u ws+unix:///tmp/box.sock daemon-stop
  midclt sandbox --wss 4433 --certificate /tmp/box.pem &
`;
