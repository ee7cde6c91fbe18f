/** The middleware's exceptions, and what its answers tell of them. */
import { dict, int, repr, type PyDict, type PyValue } from './values.js';

/** Linux numbers (the server's), and the middleware's own from 200 on. */
const ERRNO: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  3: 'ESRCH',
  4: 'EINTR',
  5: 'EIO',
  9: 'EBADF',
  11: 'EAGAIN',
  12: 'ENOMEM',
  13: 'EACCES',
  14: 'EFAULT',
  16: 'EBUSY',
  17: 'EEXIST',
  19: 'ENODEV',
  20: 'ENOTDIR',
  21: 'EISDIR',
  22: 'EINVAL',
  27: 'EFBIG',
  28: 'ENOSPC',
  30: 'EROFS',
  32: 'EPIPE',
  36: 'ENAMETOOLONG',
  39: 'ENOTEMPTY',
  74: 'EBADMSG',
  95: 'EOPNOTSUPP',
  98: 'EADDRINUSE',
  104: 'ECONNRESET',
  109: 'ETOOMANYREFS',
  110: 'ETIMEDOUT',
  111: 'ECONNREFUSED',
  113: 'EHOSTUNREACH',
  122: 'EDQUOT',
  201: 'ENOMETHOD',
  207: 'ENOTAUTHENTICATED',
};

export const EPERM = 1;
export const ENOENT = 2;
export const EIO = 5;
export const EAGAIN = 11;
export const EACCES = 13;
export const EFAULT = 14;
export const EBUSY = 16;
export const EINVAL = 22;
export const EFBIG = 27;
export const ENOSPC = 28;
export const EBADMSG = 74;
export const ETOOMANYREFS = 109;
export const ENOMETHOD = 201;
export const ENOTAUTHENTICATED = 207;

export function errname(errno: number): string {
  return ERRNO[errno] ?? 'EUNKNOWN';
}

/** The number of an error's name, if there is such an error. */
export function errnoOf(name: string): number | undefined {
  const found = Object.entries(ERRNO).find(([, each]) => each === name);
  return found && Number(found[0]);
}

/** One complaint about a parameter: attribute (null when it is about none), text, errno. */
export type Complaint = readonly [attribute: string | null, message: string, errno: number];

/** An exception of the middleware. `message` is Python's `str()` of it. */
export class PyException extends Error {
  /** The error number in the answer. Null: the exception has none, and the wires send EINVAL. */
  readonly errno: number | null = null;
  readonly extra: PyValue = null;

  constructor(
    readonly className: string,
    message: string,
    readonly repr: string,
  ) {
    super(message);
  }

  get traceback(): string {
    const last = this.message === '' ? this.className : `${this.className}: ${this.message}`;
    return `Traceback (most recent call last):\n  File "sandbox", line 1, in call\n${last}\n`;
  }
}

export class CallError extends PyException {
  override readonly errno: number;
  override readonly extra: PyValue;

  constructor(
    readonly reason: string,
    errno: number = EFAULT,
    extra: PyValue = null,
    className = 'CallError',
  ) {
    super(
      className,
      `[${errname(errno)}] ${reason}`,
      `${className}(${repr(reason)}, ${errno}, ${repr(extra)})`,
    );
    this.errno = errno;
    this.extra = extra;
  }
}

/** A failed command, which a job turns into a CallError of the same text. */
export class ProcessError extends PyException {
  override readonly errno = EFAULT;

  constructor(
    readonly reason: string,
    description: string,
  ) {
    super('CalledProcessError', `[EFAULT] ${reason}`, description);
  }
}

/** Several complaints about the parameters. */
export class ValidationErrors extends PyException {
  override readonly extra: PyValue;

  constructor(complaints: readonly Complaint[]) {
    super(
      'ValidationErrors',
      complaints.map((complaint) => `${complaintText(complaint)}\n`).join(''),
      `ValidationErrors([${complaints.map((complaint) => complaintRepr('ValidationError', complaint)).join(', ')}])`,
    );
    this.extra = complaintExtra(complaints);
  }
}

/** One complaint; also `InstanceNotFound`, which is a kind of it. */
export class ValidationError extends PyException {
  override readonly errno: number;
  override readonly extra: PyValue;

  constructor(complaint: Complaint, className = 'ValidationError') {
    super(className, complaintText(complaint), complaintRepr(className, complaint));
    this.errno = complaint[2];
    this.extra = complaintExtra([complaint]);
  }
}

export function instanceNotFound(message: string): ValidationError {
  return new ValidationError([null, message, ENOENT], 'InstanceNotFound');
}

export function matchNotFound(): PyException {
  return new PyException('MatchNotFound', '', 'MatchNotFound()');
}

/** No such method, or none of its service. JSON-RPC has a code for it. */
export class NoMethod extends CallError {
  constructor(name: string, isService: (service: string) => boolean) {
    const dot = name.lastIndexOf('.');
    const [service, method] = [name.slice(0, Math.max(dot, 0)), name.slice(dot + 1)];
    if (dot < 0) super('Invalid method name', EBADMSG);
    else if (!isService(service)) super(`Service '${service}' not found`, ENOMETHOD);
    else {
      const reason = `Method '${method}' not found in '${service}'`;
      super(reason, ENOMETHOD, null, 'MethodNotFoundError');
    }
  }
}

/** One connection has too many calls outstanding. JSON-RPC has a code for it. */
export class TooManyCalls extends CallError {
  constructor() {
    super('Maximum number of concurrent calls (20) has exceeded', ETOOMANYREFS);
  }
}

export function notAuthenticated(): CallError {
  return new CallError('Not authenticated', ENOTAUTHENTICATED);
}

export function notAuthorized(): CallError {
  return new CallError('Not authorized', EACCES);
}

/** Anything thrown as an exception of the middleware; a fault of the sandbox itself shows as what it is. */
export function asPyException(thrown: unknown): PyException {
  if (thrown instanceof PyException) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return new PyException('RuntimeError', error.message, `RuntimeError(${repr(error.message)})`);
}

export function isValidation(error: PyException): boolean {
  return error instanceof ValidationErrors || error instanceof ValidationError;
}

/** What an error says of an exception: its text, or what Python shows of one that has none. */
export function reasonOf(error: PyException): string {
  return error.message === '' ? error.repr : error.message;
}

/** An error's `trace`. */
export function traceOf(error: PyException): PyDict {
  return dict({ class: error.className, formatted: error.traceback, repr: error.repr });
}

/** What json.dumps throws. */
export function notSerializable(message: string): PyException {
  return new PyException('TypeError', message, `TypeError(${repr(message)})`);
}

function complaintText([attribute, message, errno]: Complaint): string {
  return `[${errname(errno)}] ${attribute ?? 'None'}: ${message}`;
}

function complaintRepr(className: string, [attribute, message, errno]: Complaint): string {
  return `${className}(${repr(attribute)}, ${repr(message)}, ${errno})`;
}

function complaintExtra(complaints: readonly Complaint[]): PyValue {
  return complaints.map(([attribute, message, errno]) => [attribute, message, int(errno)]);
}
