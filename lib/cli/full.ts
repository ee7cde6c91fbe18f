/**
 * The door to everything the daemon path does not need. It is built into a file of its own, so
 * that `midclt -d call` never reads ws, ndjson, through2 or anything of the daemon.
 */
export { runBatch } from './batch/batch.js';
export { daemonCommand } from './commands/daemon.js';
export { replaceOlder, startForCall } from './commands/daemon-for-call.js';
export {
  daemonList,
  afterCrash,
  daemonLog,
  daemonStatus,
  sayNearMatches,
  sayWhyDaemonWaits,
  stopAll,
} from './commands/daemons.js';
export { doctorCommand } from './doctor/doctor.js';
export { downloadCommand } from './commands/download.js';
export { loginCommand } from './commands/login.js';
export { helpCommand } from './commands/help.js';
export { complete } from './completion/complete.js';
export { completion } from './completion/script.js';
export { runFleet } from './fleet/fleet.js';
export { findCommand, sayNearNames } from './commands/find.js';
export { printerOf } from './format/format.js';
export { jobCommand } from './commands/jobs.js';
export { profileCommand } from './commands/profile.js';
export { serviceCommand } from './commands/service.js';
export { subscribeCommand } from './commands/subscribe.js';
export { trustCommand } from './commands/trust.js';
export { typesCommand } from './commands/types.js';
export { uploadCommand } from './commands/upload.js';
export { helpText } from './words/help.js';
export { shellInit } from './shell/init.js';
export { usageError } from './args/usage.js';
