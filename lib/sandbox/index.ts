/** The embedded middleware: a simulation with a handful of methods, for tests and for trying things out. */
export { API_KEYS, type ApiKey } from './api-keys.js';
export { startSandbox, type Sandbox, type SandboxOptions, type ScramOptions } from './sandbox.js';
export type { Certificate } from './listeners.js';
export type { RateLimit } from './ratelimit.js';
export type { Stats } from './stats.js';
