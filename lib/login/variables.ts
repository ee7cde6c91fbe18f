/** The environment variables that stand in for options, and which of them a daemon does not inherit. */
export const URI = 'MIDCLT_URI';
export const USERNAME = 'MIDCLT_USERNAME';
export const CA_FILE = 'MIDCLT_CA_FILE';
export const PASSWORD = 'MIDCLT_PASSWORD';
export const API_KEY = 'MIDCLT_API_KEY';

/** Which profile; see `lib/cli/args/profile.ts`. */
export const PROFILE = 'MIDCLT_PROFILE';

export const USE_DAEMON = 'MIDCLT_USE_DAEMON';
export const AUTOSTART = 'MIDCLT_AUTOSTART';

/** Where the launcher keeps NODE_EXTRA_CA_CERTS for a daemon that is started by a client which has no use for it. */
export const EXTRA_CA_CERTS = 'MIDCLT_EXTRA_CA_CERTS';

/**
 * Set by the launcher where SIGHUP is ignored, as `nohup` has it: Node sets every signal back to its default before
 * anything of this program runs.
 */
export const NOHUP = 'MIDCLT_NOHUP';

/** Node's and OpenSSL's own, of files and directories with certificates; a relative path starts where the user is. */
export const CERTIFICATE_PATHS: readonly string[] = [
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];

/** What no child process may inherit: nothing wipes a variable from `/proc/PID/environ`. */
export const SECRET_VARIABLES: readonly string[] = [PASSWORD, API_KEY];

/**
 * What a daemon started in the background does not inherit: it is told otherwise.
 */
export const OWN_VARIABLES: readonly string[] = [
  PROFILE,
  URI,
  USERNAME,
  CA_FILE,
  ...SECRET_VARIABLES,
  USE_DAEMON,
  AUTOSTART,
  NOHUP,
  'CALL_TIMEOUT',
];
