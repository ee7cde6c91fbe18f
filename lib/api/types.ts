/** Types of what a server offers. `midclt types` writes those of a server; without them every name is taken. */
import type { JsonText } from '../json/text.js';

/** What a method takes and gives. */
export interface MethodType {
  readonly params: readonly unknown[];
  readonly result: unknown;
  /** It starts a job, and `result` is the job's. */
  readonly job: boolean;
  /** Of a query, whose options `get` and `count` say what it gives: one of those that its list has. */
  readonly item?: unknown;
  /** Its job writes a file. */
  readonly downloadable?: boolean;
  /** Its job reads files. */
  readonly uploadable?: boolean;
}

/** Any server: nothing is known of its methods. */
export interface AnyServer {
  readonly methods: Readonly<Record<string, MethodType>>;
  /** By name: the `fields` of its notifications. */
  readonly events: Readonly<Record<string, unknown>>;
}

/** What the types of a server have. */
export interface ServerTypes {
  readonly methods: object;
  readonly events: object;
}

export type MethodName<S extends ServerTypes> = keyof S['methods'] & string;

type MethodOf<S extends ServerTypes, M extends MethodName<S>> = S['methods'][M] extends MethodType
  ? S['methods'][M]
  : never;

type Is<T, Mark extends keyof MethodType> = Mark extends keyof T
  ? true extends T[Mark]
    ? true
    : false
  : false;

type Marked<S extends ServerTypes, Mark extends keyof MethodType> = {
  [M in MethodName<S>]: true extends Is<S['methods'][M], Mark> ? M : never;
}[MethodName<S>];

/** The methods that start a job, or may. */
export type JobName<S extends ServerTypes> = Marked<S, 'job'>;
/** The methods whose job writes a file, or may. */
export type DownloadName<S extends ServerTypes> = Marked<S, 'downloadable'>;
/** The methods whose job reads files, or may. */
export type UploadName<S extends ServerTypes> = Marked<S, 'uploadable'>;

/** What a call says of its result: a query's options `get` and `count`, and whether its parameters are a text. */
export interface Asked<
  Get extends boolean = boolean,
  Count extends boolean = boolean,
  Text extends string = string,
> {
  readonly get: Get;
  readonly count: Count;
  readonly text: Text;
}

type Values<T extends MethodType, A extends Asked> = T extends {
  readonly item: unknown;
  readonly params: readonly [filters?: infer Filters, options?: infer Options];
}
  ? readonly [
      filters?: Filters,
      options?: Options & { readonly get?: A['get']; readonly count?: A['count'] },
    ]
  : T['params'];

/** A method's parameters, as values or as the text of an array. */
export type ParamsOf<S extends ServerTypes, M extends MethodName<S>, A extends Asked = Asked> =
  Values<MethodOf<S, M>, A> | { readonly json: A['text'] };

/** What may follow a method's name: parameters, which may be left out where there need be none, and options. */
export type Rest<
  S extends ServerTypes,
  M extends MethodName<S>,
  O,
  A extends Asked = Asked,
> = [] extends MethodOf<S, M>['params']
  ? [params?: ParamsOf<S, M, A>, options?: O]
  : [params: ParamsOf<S, M, A>, options?: O];

/** What a call answers: of a method that starts a job, the job's id. */
export type CallResult<
  S extends ServerTypes,
  M extends MethodName<S>,
  Raw extends boolean,
  A extends Asked = Asked,
> = Raw extends true
  ? JsonText
  : true extends MethodOf<S, M>['job']
    ? false extends MethodOf<S, M>['job']
      ? unknown
      : number
    : Answer<MethodOf<S, M>, A>;

type Answer<T extends MethodType, A extends Asked> = [A['text']] extends [never]
  ? T extends { readonly item: infer Item }
    ? Found<Item, A['get'], A['count']>
    : T['result']
  : T['result'];

type Found<Item, Get, Count> = Count extends true ? number : Get extends true ? Item : Item[];

/** What a job gives in the end. */
export type JobResult<
  S extends ServerTypes,
  M extends MethodName<S>,
  Raw extends boolean,
> = Raw extends true ? JsonText : MethodOf<S, M>['result'];

type KnownEvent<S extends ServerTypes> = keyof S['events'] & string;

/** An event, an event source with its arguments, or all of them. */
export type EventName<S extends ServerTypes> = KnownEvent<S> | `${KnownEvent<S>}:${string}` | '*';

/** The `fields` of its notifications. */
export type EventFields<S extends ServerTypes, E extends string> =
  E extends KnownEvent<S>
    ? S['events'][E]
    : E extends `${infer Source}:${string}`
      ? Source extends KnownEvent<S>
        ? S['events'][Source]
        : unknown
      : unknown;

/** What `subscribe` gives; of `raw` with texts. */
export type EventOf<S extends ServerTypes, E extends string, Raw extends boolean> = Raw extends true
  ? EventMessage<JsonText, JsonText | null>
  : EventMessage<EventFields<S, E>>;

/** A notification of an event, or that some were missed. */
export type EventMessage<F = unknown, Id = unknown> =
  | {
      readonly gap: false;
      /** `added`, `changed` or `removed`. */
      readonly msg: string;
      readonly collection: string;
      /** Of what was added, changed or removed; null where it has none. */
      readonly id: Id;
      readonly fields: F;
    }
  /** Events were missed: the connection was lost, or they were not taken as fast as they came. */
  | { readonly gap: true };
