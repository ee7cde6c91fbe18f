/**
 * `cli-call` and `cli-ping`: as `midclt call` and `midclt ping` would, for shells, which have no JSON. The
 * answer is what the command line prints.
 */
import { asMidcltError, isMidcltError, MidcltError } from '../errors.js';
import { isNull } from '../json/members.js';
import { VERSION, isOlder, type Json, type Request, type Timeout } from '../protocol/frames.js';
import { flagOf, malformed, wordOf } from '../protocol/request-members.js';
import type { TextForm } from '../protocol/request.js';
import { errorForPerson } from '../text/for-person.js';
import { CALL } from './call.js';
import type { Entry } from './entry.js';
import { PING } from './ping.js';

/** How the answer is to be written. */
type ShellMembers = TextForm;

export const CLI_CALL = forShells(CALL, (error, { method, kwargs, terminal }, callTimeout) =>
  terminal ? forPerson(error, method ?? 'core.ping', kwargs.timeout, callTimeout) : error,
);

export const CLI_PING = forShells(PING, (error, { timeout, terminal }, callTimeout) => {
  const told = terminal ? forPerson(error, 'core.ping', timeout, callTimeout) : error;
  const { code, message } = asMidcltError(told);
  return new MidcltError(code, `Ping failed: ${message}`);
});

/** `told` makes of an error of the entry's what a shell is to hear. */
function forShells<M extends object>(
  { format, serve }: Entry<M>,
  told: (
    error: unknown,
    request: Request & M & ShellMembers,
    callTimeout: number | null,
  ) => unknown,
): Entry<M & ShellMembers> {
  return {
    format: {
      ...format,
      names: [...format.names, 'terminal', 'sized', 'least'],
      *read(members) {
        const own = yield* format.read(members);
        checkLeast(members.get('least'));
        const flag = (name: keyof ShellMembers) => flagOf(members.get(name), name);
        return { ...own, terminal: flag('terminal'), sized: flag('sized') };
      },
      text: ({ terminal, sized }) => ({ terminal, sized }),
    },
    serve: (options) => {
      const service = serve(options);
      return {
        ...service,
        async run(request, context) {
          try {
            return await service.run(request, context);
          } catch (error) {
            throw told(error, request, options.callTimeout);
          }
        },
      };
    },
  };
}

/** Who asks leaves an older daemon to the program, which replaces it. */
function checkLeast(text: Json | undefined): void {
  if (isNull(text)) return;
  const least = wordOf(text, 'least');
  if (least === null) throw malformed("'least' must be a version", 'TypeError');
  if (!isOlder(VERSION, least)) return;
  throw malformed(
    `This daemon (version ${VERSION}) is older than ${least.slice(0, 20)}. Start it again`,
    'ValueError',
  );
}

/** On a terminal the error says what the program would say there. */
function forPerson(
  thrown: unknown,
  method: string,
  timeout: Timeout,
  callTimeout: number | null,
): unknown {
  if (!isMidcltError(thrown) || thrown.trace || thrown.extra) return thrown;
  const message = errorForPerson(
    thrown.message,
    method,
    timeout === undefined ? callTimeout : timeout,
  );
  return message === thrown.message ? thrown : new MidcltError(thrown.code, message);
}
