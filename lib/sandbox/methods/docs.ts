/** What the sandbox says of its methods beyond what their declarations tell, and of its events, in the server's form. */

/** A JSON Schema. */
export type Schema = Readonly<Record<string, unknown>>;

export interface Doc {
  /** reStructuredText. */
  readonly text: string;
  /** Of parameters, by their names: what is beyond kind and default. */
  readonly accepts?: Readonly<Record<string, Schema>>;
  readonly returns?: Schema;
  readonly roles?: readonly string[];
  /** Of servers before 25: requests, as text. */
  readonly examples?: readonly string[];
}

const string = { type: 'string' };
const integer = { type: 'integer' };
const boolean = { type: 'boolean' };
const nothing = { type: 'null' };

function object(properties: Readonly<Record<string, Schema>>, more: Schema = {}): Schema {
  const required = Object.keys(properties).filter(
    (name) => !('default' in (properties[name] ?? {})),
  );
  return { type: 'object', properties, required, additionalProperties: false, ...more };
}

function orNull(schema: Schema): Schema {
  return { anyOf: [schema, nothing] };
}

const POOL = object({
  id: { ...integer, description: 'Unique identifier of the pool.' },
  name: { ...string, description: 'Name of the pool.' },
  guid: string,
  path: string,
  status: { ...string, enum: ['ONLINE', 'DEGRADED', 'FAULTED', 'OFFLINE'] },
  healthy: boolean,
  warning: boolean,
  size: { ...orNull(integer), description: 'Bytes in all.' },
  allocated: orNull(integer),
  free: orNull(integer),
  fragmentation: orNull(string),
  scan: orNull({ type: 'object', additionalProperties: true }),
  autotrim: { type: 'object', additionalProperties: true },
});

const USER = object({
  id: integer,
  uid: { ...integer, minimum: 0, maximum: 4294967294 },
  username: { ...string, minLength: 1, maxLength: 32 },
  full_name: string,
  home: string,
  shell: string,
  builtin: boolean,
  locked: boolean,
  local: boolean,
  roles: { type: 'array', items: string },
  groups: { type: 'array', items: integer },
});

const FILTERS = {
  type: 'array',
  items: {},
  description:
    'List of filters: ``[NAME, OPERATOR, VALUE]``. See "Query Methods" in the API documentation.',
  examples: [[['name', '=', 'tank']]],
};

const OPTIONS = object(
  {
    count: { ...boolean, default: false, description: 'Return only how many there are.' },
    get: { ...boolean, default: false, description: 'Return the first result alone.' },
    offset: { ...integer, default: 0, minimum: 0 },
    limit: { ...integer, default: 0, minimum: 0, description: 'At most so many; 0 is all.' },
    order_by: {
      type: 'array',
      items: string,
      default: [],
      description: 'The names to sort by. A leading ``-`` reverses the order.',
      examples: [['size', '-id']],
    },
    select: {
      type: 'array',
      items: { anyOf: [string, { type: 'array', items: string, minItems: 2, maxItems: 2 }] },
      default: [],
    },
  },
  { description: 'Options for what comes back.' },
);

function queryDoc(text: string, item: Schema): Doc {
  return {
    text,
    accepts: { filters: FILTERS, options: OPTIONS },
    returns: { anyOf: [{ type: 'array', items: item }, item, integer] },
  };
}

export const DOCS: Readonly<Record<string, Doc>> = {
  'core.ping': { text: 'Respond with "pong".\n\nIt needs no login.', returns: string },
  'core.subscribe': {
    text: 'Subscribe to an event. Each time it happens, a notification is sent.',
    accepts: {
      event: { ...string, description: 'Name of the event.', examples: ['core.get_jobs'] },
    },
    returns: { ...string, description: 'Identifier of the subscription.' },
  },
  'core.unsubscribe': { text: 'End a subscription.', returns: nothing },
  'core.get_jobs': queryDoc('Get information about long-running jobs.', {
    type: 'object',
    properties: { id: integer, method: string, state: string, result: {} },
  }),
  'core.job_abort': { text: 'Abort a job.', returns: nothing },
  'core.job_wait': { text: 'Wait for a job to end, and return its result.', returns: {} },
  'core.get_methods': {
    text: 'Return metadata of every method that the session may call.',
    accepts: { target: { ...string, enum: ['WS', 'CLI', 'REST'] } },
    returns: { type: 'object', additionalProperties: { type: 'object' } },
  },
  'core.download': {
    text:
      'Call a job that writes a file, and get the URL to fetch it from.\n\n' +
      '1. Call :method:`core.download` with the method, its arguments and a file name\n\n' +
      '2. Make an HTTP GET request to the URL that is returned\n\n' +
      '.. note::\n\n    The URL can be used once, within 300 seconds.',
    returns: {
      type: 'array',
      prefixItems: [
        { ...integer, title: 'Job ID' },
        { ...string, title: 'URL' },
      ],
    },
  },
  'api_key.create': {
    text: 'Make an API key.\n\nIts ``key`` is in this answer alone.',
    accepts: {
      api_key_create: object({
        name: { ...string, minLength: 1, maxLength: 200, default: 'nobody' },
        username: { ...string, minLength: 1, description: 'Who logs in with it.' },
        expires_at: { ...orNull({ ...string, format: 'date-time' }), default: null },
      }),
    },
    returns: { type: 'object', properties: { id: integer, name: string, key: string } },
    roles: ['API_KEY_WRITE', 'READONLY_ADMIN'],
  },
  'api_key.query': queryDoc('Query the API keys.', {
    type: 'object',
    properties: { id: integer, name: string, username: string, revoked: boolean },
  }),
  'api_key.delete': { text: 'Delete an API key.', returns: boolean },
  'auth.me': { text: 'Return who is logged in.', returns: { type: 'object' } },
  'auth.login_ex': {
    text: 'Log in with one of several mechanisms.',
    accepts: {
      login_data: {
        oneOf: [
          object(
            {
              mechanism: { const: 'PASSWORD_PLAIN', type: 'string', default: 'PASSWORD_PLAIN' },
              username: string,
              password: { ...string, minLength: 1 },
            },
            { title: 'AuthPasswordPlain' },
          ),
          object(
            {
              mechanism: { const: 'API_KEY_PLAIN', type: 'string', default: 'API_KEY_PLAIN' },
              username: string,
              api_key: string,
            },
            { title: 'AuthApiKeyPlain' },
          ),
        ],
      },
    },
    returns: { type: 'object', properties: { response_type: string } },
  },
  'system.version': { text: 'Return the name and version of the software.', returns: string },
  'system.version_short': { text: 'Return the short version.', returns: string },
  'system.hostname': { text: 'Return the host name.', returns: string },
  'system.ready': { text: 'Return whether the system has started.', returns: boolean },
  'system.state': {
    text: 'Return the state of the system: ``BOOTING``, ``READY`` or ``SHUTTING_DOWN``.',
    returns: { ...string, enum: ['BOOTING', 'READY', 'SHUTTING_DOWN'] },
  },
  'system.info': {
    text: 'Return basic information about the system.',
    roles: ['READONLY_ADMIN'],
    returns: object({
      version: string,
      hostname: string,
      physmem: integer,
      model: string,
      cores: integer,
      loadavg: { type: 'array', items: { type: 'number' } },
      uptime_seconds: { type: 'number' },
      timezone: string,
    }),
  },
  'pool.query': {
    ...queryDoc('Query the storage pools.', POOL),
    roles: ['POOL_READ'],
    examples: [
      '\n  Get all pools that are healthy\n\n    :::javascript\n    {\n        "id": "6841f242",\n' +
        '        "msg": "method",\n        "method": "pool.query",\n        "params": [[["healthy", "=", true]]]\n    }\n',
    ],
  },
  'pool.get_instance': {
    text: 'Return the pool of this ``id``. It is an error if there is none.',
    accepts: { id: { ...integer, description: 'The pool.', minimum: 1, examples: [1] } },
    returns: POOL,
    roles: ['POOL_READ'],
  },
  'pool.scrub': {
    text: 'Start, pause or stop a scrub of a pool. A scrub reads all data and repairs what it can.',
    accepts: {
      id: { ...integer, description: 'The pool.', examples: [1] },
      action: { ...string, enum: ['START', 'STOP', 'PAUSE'], description: 'What to do.' },
    },
    returns: nothing,
    roles: ['POOL_WRITE'],
  },
  'pool.dataset.export_keys': {
    text: 'Export the keys of a dataset and those below it.',
    returns: nothing,
  },
  'user.query': { ...queryDoc('Query the users.', USER), roles: ['ACCOUNT_READ'] },
  'config.save': {
    text: 'Create a tar file of security-sensitive information: the configuration.',
    accepts: { options: object({ secretseed: { ...boolean, default: false } }) },
    returns: nothing,
  },
  'config.upload': {
    text: 'Accept a configuration file, and use it after a restart.',
    returns: nothing,
  },
  'filesystem.get': {
    text: 'Job to get the contents of a file.',
    accepts: { path: { ...string, minLength: 1, examples: ['/etc/hosts'] } },
    returns: nothing,
  },
  'filesystem.put': {
    text: 'Job to put contents to a file.',
    accepts: {
      path: { ...string, minLength: 1 },
      options: object({
        append: { ...boolean, default: false },
        mode: { ...orNull(integer), default: null },
      }),
    },
    returns: boolean,
  },
  'system.debug': { text: 'Download a debug file.', returns: nothing },
};

/** What core.get_events says of the events, where it is there. */
export const EVENTS: Readonly<Record<string, string>> = {
  'auth.sessions': 'Notification of new and removed sessions.',
  'core.get_jobs': 'Updates on job changes.',
  'test.event': 'What `test.emit` is told to send.',
  'test.ticker': 'An event source that counts.\n\n`test.ticker:{"interval": 1, "count": 3}`',
};
