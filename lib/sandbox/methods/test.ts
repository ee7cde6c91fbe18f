/** `test.*` methods that answer at once: whatever a client has to cope with. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Call, MethodTable } from '../middleware.js';
import {
  CallError,
  EINVAL,
  ENOENT,
  EFAULT,
  ValidationErrors,
  notAuthenticated,
  type Complaint,
} from '../python/exceptions.js';
import { complaint, optional, required } from '../python/parameters.js';
import {
  PyDate,
  PyDateTime,
  PyFloat,
  PyInterface,
  PySet,
  PyTime,
  RawJson,
  Unserializable,
  dict,
  int,
  numberOf,
  stringOf,
  type PyValue,
} from '../python/values.js';
import { raise } from './test-jobs.js';

const EVENT_KINDS: ReadonlyMap<string, 'added' | 'changed' | 'removed'> = new Map([
  ['ADDED', 'added'],
  ['CHANGED', 'changed'],
  ['REMOVED', 'removed'],
]);

export const testMethods: MethodTable = {
  /** Its arguments, as a list. */
  'test.echo': { params: null, run: ({ args }) => [...args] },

  'test.sleep': { params: [required('seconds', 'number')], run: sleep },
  /** The same. The real method goes on in a thread when the connection is gone; nobody sees that. */
  'test.sleep_thread': { params: [required('seconds', 'number')], run: sleep },

  'test.int': { params: [optional('value', 'integer', 7n)], run: ({ args }) => args[0] ?? 7n },

  'test.int_private': {
    params: [optional('value', 'integer', 7n)],
    isPrivate: true,
    run: ({ args }) => args[0] ?? 7n,
  },

  'test.fail': {
    params: [
      optional('errno', 'integer', int(EFAULT)),
      optional('reason', 'string', 'failed'),
      optional('extra', 'any', null),
    ],
    run: ({ args: [errno, reason, extra = null] }) => {
      throw new CallError(stringOf(reason), numberOf(errno) ?? EFAULT, extra);
    },
  },

  /** Two complaints; none when the parameter is `true`. */
  'test.validation': {
    params: [optional('nothing', 'boolean', false)],
    run: ({ args }) => {
      throw new ValidationErrors(
        args[0] === true
          ? []
          : [
              ['thing_create.name', 'This name is taken', EINVAL],
              ['thing_create.path', 'No such path', ENOENT],
            ],
      );
    },
  },

  /** Checks its parameter: `name` has at least two characters, `count` is at most 10, `tags` a list. */
  'test.validated': { params: [required('thing')], run: validated },

  'test.raise_': {
    params: [required('kind', 'string')],
    run: ({ args }) => raise(stringOf(args[0]), false),
  },

  'test.unserializable': { params: [], run: () => new Unserializable('object') },

  'test.ints': {
    params: [],
    run: () => [
      9007199254740993n,
      18446744073709551615n,
      new PyFloat(1),
      new PyFloat(Infinity),
      new PyFloat(NaN),
    ],
  },

  'test.types': {
    params: [],
    run: () =>
      dict({
        datetime: new PyDateTime(Date.UTC(2025, 0, 2, 3, 4, 5)),
        date: new PyDate('2025-01-02'),
        time: new PyTime('03:04:05'),
        set: new PySet([1n]),
        ipv4_interface: new PyInterface(4, '10.0.0.1/24'),
        unicode: 'žluť😀\u2028',
        neg0: new PyFloat(-0),
        big: 10n ** 30n,
        none: null,
      }),
  },

  'test.notauth': {
    params: [],
    run: () => {
      throw notAuthenticated();
    },
  },

  'test.noauth': {
    access: 'anyone',
    params: [],
    run: ({ session }) =>
      dict({
        authenticated: session.credentials !== null,
        session_id: session.id,
        origin: session.origin.text,
        legacy_jobs: session.options.legacyJobs,
      }),
  },

  /** Sends `count` test.event events of a kind, then answers their number. */
  'test.emit': {
    params: [
      required('kind', 'string'),
      optional('fields', 'any', null),
      optional('id', 'any', null),
      optional('extra', 'dict', null),
      optional('count', 'integer', 1n),
    ],
    run: emit,
  },

  /** The session is logged out when its next message comes. */
  'test.expire_session': {
    params: [],
    run: ({ session }) => {
      session.expired = true;
      return true;
    },
  },

  /** Nested JSON of about `size` bytes. */
  'test.big': {
    params: [required('size', 'integer')],
    run: ({ args }) => big(numberOf(args[0]) ?? 0),
  },

  /** A string of `size` characters. */
  'test.bigstring': {
    params: [required('size', 'integer')],
    run: ({ args }) => 'x'.repeat(numberOf(args[0]) ?? 0),
  },

  /** The result is this text, whether it is JSON or not. */
  'test.raw': {
    params: [required('text', 'string')],
    run: ({ args }) => new RawJson(stringOf(args[0])),
  },
};

async function sleep({ args, signal }: Call): Promise<PyValue> {
  const seconds = numberOf(args[0]) ?? 0;
  await delay(seconds * 1000, undefined, { signal });
  return new PyFloat(seconds);
}

function validated({ args }: Call): PyValue {
  const thing = args[0] ?? null;
  if (!(thing instanceof Map))
    throw new ValidationErrors([['thing', 'Input should be a valid dictionary', EINVAL]]);
  const complaints: Complaint[] = [];
  const name = thing.get('name');
  if (name === undefined) complaints.push(['thing.name', 'Field required', EINVAL]);
  else if (typeof name !== 'string') complaints.push(...complaint('thing.name', name, 'string'));
  else if (name.length < 2)
    complaints.push(['thing.name', 'String should have at least 2 characters', EINVAL]);
  const count = thing.get('count') ?? 1n;
  if (typeof count !== 'bigint') complaints.push(...complaint('thing.count', count, 'integer'));
  else if (count > 10n)
    complaints.push(['thing.count', 'Input should be less than or equal to 10', EINVAL]);
  complaints.push(...complaint('thing.tags', thing.get('tags') ?? [], 'list'));
  for (const key of thing.keys())
    if (!['name', 'count', 'tags'].includes(key))
      complaints.push([`thing.${key}`, 'Extra inputs are not permitted', EINVAL]);
  if (complaints.length > 0) throw new ValidationErrors(complaints);
  return thing;
}

function emit({ middleware, args }: Call): PyValue {
  const [kind, fields = null, id = null, extra = null, count = 1n] = args;
  const event = EVENT_KINDS.get(stringOf(kind));
  if (event === undefined) throw new CallError(`Unknown event type ${stringOf(kind)}`, EINVAL);
  const times = numberOf(count) ?? 1;
  for (let i = 0; i < times; i += 1)
    middleware.events.publish(event, 'test.event', () => ({
      ...(id === null ? {} : { id }),
      fields: fields ?? dict({ i: int(i) }),
      ...(extra instanceof Map ? { extra } : {}),
    }));
  return int(times);
}

/** Rows of mixed types; each is {@link ROW_BYTES} long or a little more. */
function big(size: number): PyValue {
  const ROW_BYTES = 128;
  return Array.from({ length: Math.max(1, Math.floor(size / ROW_BYTES)) }, (_, index) =>
    dict({
      id: int(index),
      name: `row ${index}`,
      ratio: new PyFloat(index / 8),
      tags: ['a', 'b', ['nested', dict({ deep: null, yes: true })]],
      note: 'ž'.repeat(6),
    }),
  );
}
