/** `core.get_methods`, `core.get_events` and `core.get_services`: what there is, as servers of several versions tell it. */
import { accessError } from '../calls.js';
import type { Call, Method, MethodTable } from '../middleware.js';
import { parse } from '../python/json.js';
import { QUERY_PARAMETERS, optional, type Parameter } from '../python/parameters.js';
import { dict, dump, type PyDict, type PyValue } from '../python/values.js';
import { DOCS, EVENTS, type Doc, type Schema } from './docs.js';

export const catalogMethods: MethodTable = {
  'core.get_methods': {
    params: [optional('service', 'string', null), optional('target', 'string', 'WS')],
    run: (call) => {
      const [service = null] = call.args;
      return new Map(
        listed(call)
          .filter(([name]) => service === null || serviceOf(name) === service)
          .map(([name, method]) => [name, entryOf(name, method, isOld(call))]),
      );
    },
  },

  'core.get_services': {
    params: [optional('target', 'string', 'WS')],
    run: (call) => {
      const methods = listed(call).map(([name]) => name);
      const services = [...new Set(methods.map(serviceOf))];
      return new Map(
        services.map((name) => {
          const type = methods.includes(`${name}.query`) ? 'crud' : 'service';
          const config = dict({ namespace: name, private: false, cli_description: null });
          return [name, dict({ config, type })];
        }),
      );
    },
  },

  'core.get_events': {
    before: 27,
    params: [optional('target', 'string', 'WS')],
    run: () =>
      new Map(
        Object.entries(EVENTS).map(([name, description]) => [
          name,
          dict({ description, wildcard_subscription: true, accepts: [], returns: [] }),
        ]),
      ),
  },
};

/** Those that the session may call. */
function listed({ middleware, session }: Call): [string, Method][] {
  return middleware.methodNames().flatMap((name): [string, Method][] => {
    const method = middleware.method(name);
    const isListed = method && method.isPrivate !== true && accessError(session, method) === null;
    return isListed ? [[name, method]] : [];
  });
}

function serviceOf(name: string): string {
  return name.slice(0, name.lastIndexOf('.'));
}

/** A version before 25, whose schemas were of the middleware's own kind. */
function isOld({ middleware }: Call): boolean {
  return middleware.majorVersion < 25;
}

function entryOf(name: string, method: Method, isOld: boolean): PyDict {
  const doc = DOCS[name] ?? { text: '' };
  const job = 'job' in method ? method.job : null;
  const { accepts, returns } = isOld ? oldSchemas(method, doc) : schemas(method, doc);
  const examples = isOld && doc.examples ? { websocket: doc.examples } : {};
  const [firstParagraph = ''] = doc.text.split('\n\n');
  return dict({
    description: doc.text === '' ? null : doc.text,
    cli_description: firstParagraph.split('.')[0]?.replaceAll('\n', ' ') ?? '',
    examples: valueOf(examples),
    no_auth_required: method.access === 'anyone',
    no_authz_required: (method.access ?? 'login') === 'login',
    cli_private: false,
    filterable: method.params === QUERY_PARAMETERS,
    filterable_schema: null,
    pass_application: false,
    job: job !== null,
    downloadable: job?.downloadable === true,
    uploadable: job?.uploadable === true,
    check_pipes: job !== null && job.checkPipes !== false,
    roles: valueOf(doc.roles ?? (method.access === 'admin' ? ['FULL_ADMIN'] : [])),
    accepts,
    returns,
  });
}

function schemas({ params }: Method, doc: Doc): { accepts: PyValue; returns: PyValue } {
  const accepts = (params ?? []).map((parameter) => ({
    ...TYPES[parameter.kind],
    ...doc.accepts?.[parameter.name],
    title: titleOf(parameter.name),
    ...defaultOf(parameter),
    _name_: parameter.name,
    _required_: parameter.fallback === undefined,
  }));
  const result = { title: 'Result', ...doc.returns, _name_: 'result', _required_: true };
  return { accepts: valueOf(accepts), returns: valueOf(doc.returns ? [result] : []) };
}

/** Before 25: no list at all where nothing is declared, types with `null` among them, and `_required_` at every level. */
function oldSchemas({ params }: Method, doc: Doc): { accepts: PyValue; returns: PyValue } {
  const accepts = (params ?? []).map((parameter) => ({
    ...oldSchema({ ...TYPES[parameter.kind], ...doc.accepts?.[parameter.name] }),
    title: parameter.name,
    ...defaultOf(parameter),
    _name_: parameter.name,
    _required_: parameter.fallback === undefined,
  }));
  return { accepts: params === null ? null : valueOf(accepts), returns: null };
}

function oldSchema({ required, properties, ...rest }: Schema): Schema {
  if (properties === undefined) return rest;
  const names = Array.isArray(required) ? (required as string[]) : [];
  const members = Object.entries(properties as Readonly<Record<string, Schema>>);
  return {
    ...rest,
    properties: Object.fromEntries(
      members.map(([name, schema]) => [
        name,
        { ...oldSchema(schema), title: name, _name_: name, _required_: names.includes(name) },
      ]),
    ),
    _attrs_order_: members.map(([name]) => name),
  };
}

const TYPES: Readonly<Record<Parameter['kind'], Schema>> = {
  any: {},
  number: { type: 'number' },
  integer: { type: 'integer' },
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  list: { type: 'array', items: {} },
  dict: { type: 'object', additionalProperties: true },
};

function defaultOf({ fallback }: Parameter): Schema {
  return fallback === undefined ? {} : { default: JSON.parse(dump(fallback)) as unknown };
}

/** As pydantic makes one of a name. */
function titleOf(name: string): string {
  return name.replace(/(?:^|_)([a-z])/g, (_, letter: string) => ` ${letter.toUpperCase()}`).trim();
}

function valueOf(value: unknown): PyValue {
  return parse(JSON.stringify(value));
}
