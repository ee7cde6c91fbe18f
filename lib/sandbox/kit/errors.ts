/** The server's errors, for canned methods to throw. */
import {
  EFAULT,
  EINVAL,
  ENOENT,
  PyException,
  errnoOf,
  CallError as ServerError,
  ValidationError,
  ValidationErrors as ServerComplaints,
  type Complaint,
} from '../python/exceptions.js';
import { toServer, type Value } from './values.js';

/** The server refuses a call, or a job fails. */
interface CallErrorClass {
  /**
   * @param reason The client reads `[EFAULT] reason`.
   * @param errno A number of Linux's, or its name: `'ENOENT'`. EFAULT unless given, as at the server.
   * @param extra What goes with the error.
   */
  new (reason: string, errno?: number | string, extra?: Value): Error;
}

export const CallError: CallErrorClass = class CallError extends ServerError {
  constructor(reason: string, errno: number | string = EFAULT, extra: Value = null) {
    super(reason, numberOf(errno), toServer(extra, 'extra'));
  }
};

/** A complaint about a parameter: what it is about (`pool_create.name`), the text, and the error's number (EINVAL). */
export type ValidationComplaint = readonly [
  attribute: string | null,
  message: string,
  errno?: number | string,
];

/** The server doesn't take the parameters. */
interface ValidationErrorsClass {
  new (complaints: readonly ValidationComplaint[]): Error;
}

export const ValidationErrors: ValidationErrorsClass = class ValidationErrors extends ServerComplaints {
  constructor(complaints: readonly ValidationComplaint[]) {
    const full = ([attribute, message, errno = EINVAL]: ValidationComplaint): Complaint => [
      attribute,
      message,
      numberOf(errno),
    ];
    super(complaints.map(full));
  }
};

/** What a `*.get_instance`, `*.update` or `*.delete` says of an id that there is not. */
interface InstanceNotFoundClass {
  new (message: string): Error;
}

export const InstanceNotFound: InstanceNotFoundClass = class extends ValidationError {
  constructor(message: string) {
    super([null, message, ENOENT], 'InstanceNotFound');
  }
};

function numberOf(errno: number | string): number {
  const number = typeof errno === 'number' ? errno : errnoOf(errno);
  if (number === undefined) throw new RangeError(`There is no error ${errno}`);
  return number;
}

/** A mistake in a test's own method: the client is told its text, and where it was made. */
class Mistake extends PyException {
  constructor(private readonly error: Error) {
    super('RuntimeError', error.message, `RuntimeError('${error.name}')`);
  }

  override get traceback(): string {
    return this.error.stack ?? super.traceback;
  }
}

/** Anything that a canned method throws, as the server's. */
export function asServerError(thrown: unknown): PyException {
  if (thrown instanceof PyException) return thrown;
  return new Mistake(thrown instanceof Error ? thrown : new Error(String(thrown)));
}
