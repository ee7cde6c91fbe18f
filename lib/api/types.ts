/** Types of what a server offers. `midclt types` writes those of a server; without them every name is taken. */
import type { JsonText } from '../json/text.js';
import type { Params } from './request.js';

/** What a method takes and gives. `job`: it starts a job, and `result` is the job's. */
export interface MethodType {
  readonly params: readonly unknown[];
  readonly result: unknown;
  readonly job: boolean;
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
export type EventName<S extends ServerTypes> = keyof S['events'] & string;

type MethodOf<S extends ServerTypes, M extends MethodName<S>> = S['methods'][M] extends MethodType
  ? S['methods'][M]
  : never;

/** A method's parameters, as values or as the text of an array. */
export type ParamsOf<S extends ServerTypes, M extends MethodName<S>> =
  MethodOf<S, M>['params'] | Extract<Params, { readonly json: string }>;

/** What may follow a method's name: parameters, which may be left out where there need be none, and options. */
export type Rest<S extends ServerTypes, M extends MethodName<S>, O> = readonly [] extends MethodOf<
  S,
  M
>['params']
  ? [params?: ParamsOf<S, M>, options?: O]
  : [params: ParamsOf<S, M>, options?: O];

/** What a call answers: of a method that starts a job, the job's id. */
export type CallResult<
  S extends ServerTypes,
  M extends MethodName<S>,
  Raw extends boolean,
> = Raw extends true
  ? JsonText
  : true extends MethodOf<S, M>['job']
    ? false extends MethodOf<S, M>['job']
      ? unknown
      : number
    : MethodOf<S, M>['result'];

/** What a job gives in the end. */
export type JobResult<
  S extends ServerTypes,
  M extends MethodName<S>,
  Raw extends boolean,
> = Raw extends true ? JsonText : MethodOf<S, M>['result'];

/** The methods that start a job, or may. */
export type JobName<S extends ServerTypes> = {
  [M in MethodName<S>]: true extends MethodOf<S, M>['job'] ? M : never;
}[MethodName<S>];

/** A notification of an event, or that some were missed. */
export type EventMessage<F = unknown> =
  | {
      readonly gap: false;
      /** `added`, `changed` or `removed`. */
      readonly msg: string;
      readonly collection: string;
      /** Of what was added, changed or removed; null where it has none. */
      readonly id: unknown;
      readonly fields: F;
    }
  /** Events were missed: the connection was lost, or they were not taken as fast as they came. */
  | { readonly gap: true };
