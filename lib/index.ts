/**
 * The public API: the names of the Python daemon package in camelCase. Importing it does nothing and
 * loads little; ws and the streams are loaded when a client or a daemon is made.
 */
export { connect, type ConnectOptions } from './api/connect.js';
export type { Connection, RequestOptions, SubscribeOptions } from './api/connection.js';
export type { Job } from './api/job.js';
export type { Download, DownloadOptions, FileToUpload, TransferOptions } from './api/transfer.js';
export type {
  AnyServer,
  Asked,
  CallResult,
  DownloadName,
  EventFields,
  EventMessage,
  EventName,
  JobName,
  JobResult,
  MethodName,
  MethodType,
  ParamsOf,
  Rest,
  ServerTypes,
  UploadName,
} from './api/types.js';
export { Client, type CallOptions } from './api/client.js';
export type { ClientOptions } from './api/login.js';
export {
  callViaDaemon,
  isDaemonRunning,
  pingViaDaemon,
  sendToDaemon,
  stopDaemon,
  type CallViaDaemonOptions,
  type PingOptions,
} from './api/daemon-client.js';
export {
  DaemonServer,
  runDaemon,
  setupDaemonLogging,
  type DaemonLogger,
  type DaemonServerOptions,
  type LoggingOptions,
  type RunDaemonOptions,
} from './api/daemon.js';
export {
  Command,
  DAEMON_ACCEPT_TIMEOUT,
  DAEMON_REQUEST_TIMEOUT,
  SOCKET_RECV_BUFFER_SIZE,
  cleanupStaleFiles,
  getDaemonDir,
  getDaemonIdentifier,
  getDaemonPidPath,
  getDaemonSocketPath,
} from './api/paths.js';
export type {
  DaemonRequest,
  DaemonResponse,
  Params,
  Progress,
  ProgressCallback,
} from './api/request.js';
export { ProgressBar, type ProgressOutput } from './cli/output/progress.js';
export { MidcltError, type ErrorCode } from './errors.js';
export { JsonText, type ValueOptions } from './json/text.js';
export type { Level, Log } from './logger.js';
export { DAEMON_CONNECT_TIMEOUT, MessageType, SOCKET_PERMISSIONS } from './protocol/frames.js';
