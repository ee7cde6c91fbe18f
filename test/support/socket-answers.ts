/** What docs/PROTOCOL.md says of any line to the daemon's socket, and of the lines that come back. */
import assert from 'node:assert';
import { isUtf8 } from 'node:buffer';

const LATIN1 = 'latin1';

type Members = Readonly<Record<string, unknown>>;
export type Frame = Members & { readonly type: string };

/** What may be said to a line. */
export interface Expected {
  /** Throws for an answer that the line must not have. */
  readonly check: (final: Frame) => void;
  /** Throws for a frame that has not its id. */
  readonly checkId: (frame: Frame, text: string) => void;
  /** Its answer is text: with its size before it, or one whose end can't be told. */
  readonly text: 'no' | 'sized' | 'endless' | 'unknown';
  /** It may last as long as nobody ends it. */
  readonly mayLast: boolean;
  readonly mayClose: boolean;
}

/** Verbs and members as docs/PROTOCOL.md lists them. */
const COMMANDS = ['call', 'ping', 'subscribe', 'follow', 'status', 'stop', 'cli-call', 'cli-ping'];
const MEMBERS = [
  ...['command', 'method', 'params', 'kwargs', 'job', 'timeout', 'event', 'number', 'id', 'close'],
  ...['keep', 'if_idle', 'version', 'protocol', 'not_sent', 'error_code', 'job_id', 'insecure'],
  ...['args', 'terminal', 'sized', 'least'],
];
const FLAGS = ['close', 'keep', 'job_id', 'not_sent', 'error_code', 'insecure'];

export function expectedOf(text: string): Expected {
  const bytes = Buffer.from(text, LATIN1);
  const shown = bytes.toString();
  const isLong = text.length > 2_101_248;
  const mayLast = /subscribe|follow|sleep|test\.job|\\u/.test(shown);
  const mayClose = /close|\\u/.test(shown);
  let members: unknown;
  let isJson = isUtf8(bytes) && !isLong;
  try {
    members = isJson ? JSON.parse(shown) : undefined;
  } catch {
    isJson = false;
  }
  // Python's JSON has more than JSON.parse's.
  const isPython = !isJson && isUtf8(bytes) && !isLong && /NaN|Infinity/.test(shown);
  const spelledId = (frame: Frame, answer: string) => {
    if (!Object.hasOwn(frame, 'id')) return;
    const [, id = ''] =
      /^\{"type":"\w+","id":(.*?),"(?:error|result|percent|event|daemon|gap)"/.exec(answer) ?? [];
    assert.ok(id !== '' && shown.includes(id), `an id that was not sent: ${answer}`);
  };
  const isError = ({ type }: Frame) => {
    assert.equal(type, 'error', shown);
  };
  if (isPython) {
    const isShell = /cli-|\\u/.test(shown);
    const check = () => undefined;
    return { check, checkId: spelledId, text: isShell ? 'unknown' : 'no', mayLast, mayClose };
  }
  if (!isJson || typeof members !== 'object' || members === null || Array.isArray(members)) {
    return { check: isError, checkId: spelledId, text: 'no', mayLast: false, mayClose: false };
  }
  const own = members as Members;
  const checkId = (frame: Frame, answer: string) => {
    if (isDeep(shown) || /\[{450}|\$/.test(shown)) {
      spelledId(frame, answer);
      return;
    }
    assert.equal(Object.hasOwn(frame, 'id'), Object.hasOwn(own, 'id'), `${shown} ${answer}`);
    assert.deepEqual(frame.id, own.id);
  };
  const isShell = own.command === 'cli-call' || own.command === 'cli-ping';
  const shell = own.sized === true ? 'sized' : 'endless';
  return {
    check:
      isWrong(own) || isDeep(shown)
        ? isError
        : (final) => {
            if (!/\[{450}|\$/.test(shown)) checkAnswer(own, final);
          },
    checkId,
    text: isShell ? shell : 'no',
    ...{ mayLast, mayClose },
  };
}

/** Nested so deep, or with such a number, that it is refused as what is no JSON is; an id is not looked for. */
function isDeep(text: string): boolean {
  return /\[{501}|\d{4301}/.test(text);
}

function isWrong(own: Members): boolean {
  const { command, version, method: called, params: list, args, kwargs: more, timeout } = own;
  if (typeof command !== 'string' || !COMMANDS.includes(command)) return true;
  if (FLAGS.some((flag) => ![undefined, null, true, false].includes(own[flag] as boolean)))
    return true;
  if (typeof version !== 'string' && Object.keys(own).some((each) => !MEMBERS.includes(each)))
    return true;
  if (command === 'call') {
    if (typeof called !== 'string' || called === '') return true;
    if (args === undefined && list != null && !Array.isArray(list)) return true;
    if (more != null && (typeof more !== 'object' || Array.isArray(more))) return true;
  }
  if (['ping', 'subscribe', 'follow'].includes(command) && timeout != null) {
    return typeof timeout !== 'number' || timeout <= 0;
  }
  return false;
}

/** Of requests that nothing is special about, the answer is known. */
function checkAnswer(own: Members, final: Frame): void {
  const plain = [
    'command',
    'id',
    'keep',
    'close',
    'job_id',
    'not_sent',
    'error_code',
    'method',
    'params',
  ];
  if (!Object.keys(own).every((each) => plain.includes(each))) return;
  if (typeof own.method !== 'string' && 'method' in own) return;
  if ('params' in own && !Array.isArray(own.params)) return;
  const { command, method: called, params: list } = own;
  if (command === 'ping') assert.equal(final.result, 'pong');
  else if (command === 'status') assert.equal(typeof (final.result as Members).pid, 'number');
  else if (command === 'call' && called === 'test.echo') assert.deepEqual(final.result, list ?? []);
}

/** The members of each kind of frame, in their order. */
const SHAPES: Readonly<Record<string, RegExp>> = {
  result: /^type,(id,)?(daemon,)?result$/,
  error: /^type,(id,)?(daemon,)?error,error_type,trace,extra(,not_sent)?(,outcome)?(,code)?$/,
  progress: /^type,(id,)?percent,description,state(,job_id)?(,abortable)?$/,
  event: /^type,(id,)?(event|gap)$/,
};

/** A line of the daemon as a frame; throws where it is none. */
export function frameOf(text: string): Frame {
  let frame: Frame;
  try {
    frame = JSON.parse(text) as Frame;
  } catch {
    // What was sent as Python's JSON may come back as that.
    frame = JSON.parse(text.replace(/-?\b(NaN|Infinity)\b/g, 'null')) as Frame;
  }
  const shape = SHAPES[frame.type];
  assert.ok(shape?.test(Object.keys(frame).join(',')), `no frame: ${text.slice(0, 500)}`);
  if (frame.type === 'error') {
    assert.equal(typeof frame.error, 'string');
    assert.match(String(frame.error_type), /^\w+$/);
  }
  return frame;
}
