/** The embedded middleware: a simulation with a handful of methods, for tests and for trying things out. */
export { API_KEYS, type ApiKey } from './login/api-keys.js';
export { startSandbox, type Sandbox, type SandboxOptions, type ScramOptions } from './sandbox.js';
export type { Certificate } from './wire/listeners.js';
export type { RateLimit } from './login/rate-limit.js';
export type { Stats } from './stats.js';
