/**
 * The rest of the Python daemon's constants. Those that this program has a use for are where they
 * are used (`DAEMON_CONNECT_TIMEOUT` and `SOCKET_PERMISSIONS` in protocol.ts).
 */

/**
 * No limit. The Python client gives up a request after 300 s, also in the middle of a longer job;
 * here a request ends by its own timeout, which the daemon keeps.
 */
export const DAEMON_REQUEST_TIMEOUT = null;

/** None. The Python daemon wakes up to look at its idle clock; here accepting and the clock are events. */
export const DAEMON_ACCEPT_TIMEOUT = null;

/** Bytes that Node reads from a socket at once; libuv's, not a setting. */
export const SOCKET_RECV_BUFFER_SIZE = 65_536;

/** What the Python daemon takes; this one takes more (docs/PROTOCOL.md). */
export const Command = { PING: 'ping', CALL: 'call', STOP: 'stop' } as const;
export type Command = (typeof Command)[keyof typeof Command];
