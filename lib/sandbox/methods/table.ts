import type { Middleware } from '../middleware.js';
import type { JobBody, JobOptions } from './job.js';
import type { Parameter } from '../python/parameters.js';
import type { Session } from '../wire/session.js';
import type { PyValue } from '../python/values.js';

/** One call of a method: its arguments with defaults, and where it comes from. */
export interface Call {
  readonly middleware: Middleware;
  readonly session: Session;
  readonly args: readonly PyValue[];
  /** Aborted when the connection goes: what the call would say is lost. */
  readonly signal: AbortSignal;
}

interface MethodBase {
  /** Who may call it; default `login`. */
  readonly access?: 'anyone' | 'login' | 'admin';
  /** Not listed by core.get_methods. */
  readonly isPrivate?: boolean;
  /** Positional parameters; null takes any number of anything. */
  readonly params: readonly Parameter[] | null;
}

export interface PlainMethod extends MethodBase {
  readonly run: (call: Call) => PyValue | Promise<PyValue>;
}

export interface JobMethod extends MethodBase {
  readonly job: JobOptions;
  readonly body: JobBody;
  /** Looked at before there is a job; throws what the caller is refused with. */
  readonly check?: (call: Call) => void;
}

export type Method = PlainMethod | JobMethod;

/** Names and what they do. */
export type MethodTable = Readonly<Record<string, Method>>;

export function text(value: PyValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
