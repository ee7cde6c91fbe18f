/** What a session says on the legacy wire. */
import {
  EAGAIN,
  EINVAL,
  PyException,
  TooManyCalls,
  ValidationErrors,
  errname,
  isValidation,
  notSerializable,
  reasonOf,
  traceOf,
} from '../python/exceptions.js';
import type { Dialect } from './session.js';
import { dict, int, type PyDict } from '../python/values.js';

/** Refused by the wire itself: its text has no errno in front, and the error no trace. */
export class Refusal extends PyException {
  constructor(
    override readonly errno: number,
    message: string,
  ) {
    super('Refusal', message, message);
  }
}

export const legacyDialect: Dialect = {
  result: (id, result) => dict({ id, msg: 'result', result }),
  error: (id, error) => dict({ msg: 'result', id, error: errorMember(error, true) }),
  event: (params) => params,
  sourceEnd: (collection, error) => {
    const member = error === null ? {} : { error: errorMember(error, false) };
    return dict({ msg: 'nosub', collection, ...member });
  },
  /** Nothing is heard of an event. */
  unwritable: (id, reason) =>
    id === undefined ? null : legacyDialect.error(id, notSerializable(reason)),
};

function errorMember(error: PyException, isTraced: boolean): PyDict {
  const plain =
    error instanceof TooManyCalls ? new Refusal(error.errno, `${error.reason}.`) : error;
  const errno = plain instanceof ValidationErrors ? EAGAIN : (plain.errno ?? EINVAL);
  return dict({
    error: int(errno),
    errname: errname(errno),
    type: isValidation(plain) ? 'VALIDATION' : null,
    reason: reasonOf(plain),
    trace: isTraced && !(plain instanceof Refusal) ? traceOf(plain) : null,
    extra: plain.extra,
  });
}
