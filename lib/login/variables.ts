/** The environment variables that stand in for options, and which of them a daemon does not inherit. */
export const URI = 'MIDCLT_URI';
export const USERNAME = 'MIDCLT_USERNAME';
export const PASSWORD = 'MIDCLT_PASSWORD';
export const API_KEY = 'MIDCLT_API_KEY';

export const USE_DAEMON = 'MIDCLT_USE_DAEMON';
export const AUTOSTART = 'MIDCLT_AUTOSTART';

/** What no child process may inherit: nothing wipes a variable from `/proc/PID/environ`. */
export const SECRET_VARIABLES: readonly string[] = [PASSWORD, API_KEY];

/**
 * What a daemon started in the background does not inherit: it is told otherwise.
 */
export const OWN_VARIABLES: readonly string[] = [
  URI,
  USERNAME,
  ...SECRET_VARIABLES,
  USE_DAEMON,
  AUTOSTART,
  'CALL_TIMEOUT',
];
