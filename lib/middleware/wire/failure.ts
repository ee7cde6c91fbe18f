/** The middleware's errors, of a call or of a job, as ours. Texts as the Python client shows them. */
import { MidcltError } from '../../errors.js';
import {
  elementsOf,
  integerOf,
  isNull,
  membersOf,
  stringOf,
  type Members,
} from '../../json/members.js';
import type { Json } from '../../protocol/frames.js';

const INVALID_PARAMS = -32602;
const CALL_ERROR = -32001;
const TOO_MANY_CALLS = -32000;
/** The middleware's own number, and what it says with it of a session; methods may use the number, too. */
const ENOTAUTHENTICATED = 207;
const NOT_AUTHENTICATED = /^\[ENOTAUTHENTICATED\] Not authenticated$/;
/** Servers that know only the legacy wire say it so. */
const LEGACY_NOT_AUTHENTICATED = /^(\[ENOTAUTHENTICATED\] )?Not authenticated$/;
/** What the legacy wire says in place of TOO_MANY_CALLS. */
const ETOOMANYREFS = 109;

/** Why a call was not run. */
export type Refusal = 'session' | 'busy';

/** The middleware's error answer, with the numbers to match on. */
export class CallFailure extends MidcltError {
  constructor(
    message: string,
    /** JSON-RPC's. */
    readonly rpcCode: number | null,
    /** Linux's, or one of the middleware's own. */
    readonly errno: number | null,
    details: { readonly trace?: Json | null; readonly extra?: Json | null } = {},
  ) {
    super('CALL', message, details);
  }
}

/** A JSON-RPC `error` member. */
export function callFailure(error: Json): CallFailure {
  const members = membersOf(error);
  const data = membersOf(members?.get('data'));
  const message = stringOf(members?.get('message')) ?? 'Unknown error';
  const code = integerOf(members?.get('code'));
  const errno = integerOf(data?.get('error'));
  if (code === INVALID_PARAMS) {
    const extra = data?.get('extra');
    // Without an entry there is no line: so the Python client has it.
    const lines = elementsOf(extra)?.length === 0 ? '' : validationLines(extra);
    if (lines !== null) return new CallFailure(lines, code, errno);
  }
  const reason = code === CALL_ERROR ? stringOf(data?.get('reason')) : null;
  return new CallFailure(reason ?? message, code, errno, {
    trace: orNull(data?.get('trace')),
    extra: orNull(data?.get('extra')),
  });
}

/** The `error` member of the legacy wire's `result` message. */
export function legacyFailure(error: Json): CallFailure {
  const members = membersOf(error);
  const errno = integerOf(members?.get('error'));
  const reason = stringOf(members?.get('reason')) ?? 'Unknown error';
  if (stringOf(members?.get('type')) === 'VALIDATION') {
    const lines = validationLines(members?.get('extra'));
    if (lines !== null) return new CallFailure(lines, null, errno);
  }
  return new CallFailure(reason, null, errno, {
    trace: orNull(members?.get('trace')),
    extra: orNull(members?.get('extra')),
  });
}

/**
 * Why the middleware refused a call before it ran it: the session is not logged in (any more), or
 * has too many calls under way. Null for every other failure.
 */
export function refusalOf(error: unknown): Refusal | null {
  if (!(error instanceof CallFailure)) return null;
  if (error.errno === ENOTAUTHENTICATED) {
    const text = error.rpcCode === null ? LEGACY_NOT_AUTHENTICATED : NOT_AUTHENTICATED;
    return text.test(error.message) ? 'session' : null;
  }
  if (error.rpcCode === TOO_MANY_CALLS) return 'busy';
  const isRefusal = error.rpcCode === null && error.trace === null;
  return isRefusal && error.errno === ETOOMANYREFS ? 'busy' : null;
}

/** The `fields` of a `core.get_jobs` event whose `state` is final and not SUCCESS. */
export function jobFailure(id: number, state: string, fields: Members): MidcltError {
  const info = membersOf(fields.get('exc_info'));
  const error = stringOf(fields.get('error'));
  if (!info) {
    const word = state === 'ABORTED' ? 'was aborted' : `did not succeed (state=${state})`;
    return new MidcltError('CALL', error ?? `Job ${id} ${word}`);
  }
  if (stringOf(info.get('type')) === 'VALIDATION') {
    const lines = validationLines(info.get('extra'));
    if (lines !== null) return new MidcltError('CALL', lines);
  }
  const text = error || stringOf(info.get('repr')) || `Job ${id} failed`;
  return new MidcltError('CALL', text, {
    trace: jobTrace(info, fields.get('exception')),
    extra: orNull(info.get('extra')),
  });
}

/** A job's exception in the shape of a call's `trace`. */
function jobTrace(info: Members, exception: Json | undefined): Json | null {
  if (isNull(exception)) return null;
  const member = (text: Json | undefined) => text?.toString() ?? 'null';
  return Buffer.from(
    `{"class": ${member(info.get('type'))}, "formatted": ${member(exception)}, "repr": ${member(info.get('repr'))}}`,
  );
}

/** One line for each `[attribute, message, errno]`; null where `extra` is no list of those. */
export function validationLines(extra: Json | undefined): string | null {
  const lines = elementsOf(extra)?.map((entry) => {
    const [attribute, message, errno] = elementsOf(entry) ?? [];
    const name = errnoName(integerOf(errno) ?? 0);
    return `[${name}] ${stringOf(attribute) || 'ALL'}: ${stringOf(message) ?? ''}`;
  });
  return lines && lines.length > 0 ? lines.join('\n') : null;
}

function orNull(text: Json | undefined): Json | null {
  return text === undefined || isNull(text) ? null : text;
}

/** The names Python's `errno.errorcode` gives the numbers of Linux, where the middleware runs. */
const NAMES =
  '1:EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ' +
  'ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ' +
  'ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLOCK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ' +
  'ELOOP 42:ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR ' +
  'EXFULL ENOANO EBADRQC EBADSLT 59:EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ' +
  'ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ' +
  'ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK ' +
  'EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT ENOTSUP ' +
  'EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ' +
  'ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ' +
  'ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL ' +
  'EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED ' +
  'EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL';

let table: Map<number, string> | undefined;

/** `EINVAL` for 22; `EUNKNOWN` for a number Linux has no name for. */
export function errnoName(errno: number): string {
  table ??= readTable();
  return table.get(errno) ?? 'EUNKNOWN';
}

function readTable(): Map<number, string> {
  const names = new Map<number, string>();
  let next = 0;
  for (const word of NAMES.split(' ')) {
    const [first = '', second] = word.split(':');
    if (second !== undefined) next = Number(first);
    names.set(next++, second ?? first);
  }
  return names;
}
