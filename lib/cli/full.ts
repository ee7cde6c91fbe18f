/**
 * The door to everything the daemon path does not need. It is built into a file of its own, so
 * that `midclt -d call` never reads ws, ndjson, through2 or anything of the daemon.
 */
export { replaceOlder, startForCall } from './autostart.js';
export { runBatch } from './batch.js';
export { daemonCommand } from './daemon.js';
export { daemonList, daemonStatus } from './daemon-status.js';
export { daemonLog } from './daemon-log.js';
export { callDirectly, pingDirectly } from './direct.js';
export { helpText } from './help.js';
export { shellInit } from './shell-init.js';
export { sayNearMatches } from './near-match.js';
export { stopAll } from './stop-all.js';
export { subscribeCommand } from './subscribe.js';
export { sayWhyDaemonWaits } from './waiting-notice.js';
export { usageText } from './usage.js';
export { runSandbox } from './sandbox.js';
