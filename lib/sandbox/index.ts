/** The embedded middleware: a simulation with a handful of methods, for tests and for trying things out. */
export { startSandbox, type Sandbox, type SandboxOptions } from './sandbox.js';
export type { Certificate } from './listeners.js';
export type { RateLimit } from './ratelimit.js';
export type { Stats } from './stats.js';
