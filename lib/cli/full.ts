/**
 * The door to everything the daemon path does not need. It is built into a file of its own, so
 * that `midclt -d call` never reads ws, ndjson, through2 or anything of the daemon.
 */
export { replaceOlder, startForCall } from './commands/autostart.js';
export { runBatch } from './batch/batch.js';
export { daemonCommand } from './commands/daemon.js';
export { daemonList, daemonStatus } from './commands/daemon-status.js';
export { daemonLog } from './commands/daemon-log.js';
export { callDirectly, pingDirectly } from './commands/direct.js';
export { helpText } from './output/help.js';
export { shellInit } from './shell/init.js';
export { sayNearMatches } from './commands/notices.js';
export { stopAll } from './commands/stop-all.js';
export { subscribeCommand } from './commands/subscribe.js';
export { sayWhyDaemonWaits } from './commands/notices.js';
export { usageText } from './args/usage.js';
