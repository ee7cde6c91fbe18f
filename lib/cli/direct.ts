/** Without a daemon: the same session in this process, for one command. */
import type { AnswerListener, Answer } from '../frame-reader.js';
import { callTimeoutOf, compose, type Core } from '../compose.js';
import { noLog } from '../logger.js';
import { DEFAULT_CONCURRENCY, MessageType, type Request } from '../protocol.js';
import type { Arguments } from './arguments.js';
import { runCall, runPing, type Outbound } from './call.js';
import { sayLine } from './output.js';
import { tellAfterSilence } from './silence.js';
import { sayNotConnected } from './waiting-notice.js';
import { upstreamOf } from './upstream.js';

export function callDirectly(args: Arguments): Promise<number> {
  return withCore(args, (core) => runCall(args, exchangeOver(core)));
}

export function pingDirectly(args: Arguments): Promise<number> {
  return withCore(args, (core) => runPing(args, exchangeOver(core)));
}

/** Connects and logs in, does the work, and closes the connection whatever comes of it. */
export async function withCore<T>(args: Arguments, work: (core: Core) => Promise<T>): Promise<T> {
  const core = compose({
    ...(await upstreamOf(args, sayLine)),
    concurrency: DEFAULT_CONCURRENCY,
    callTimeout: callTimeoutOf(process.env),
    log: noLog,
  });
  await tellAfterSilence(
    () => core.connection.open(),
    () => {
      sayNotConnected(core);
    },
  );
  try {
    return await work(core);
  } finally {
    core.connection.close();
  }
}

function exchangeOver(
  core: Core,
): (outbound: Outbound, listener: AnswerListener) => Promise<Answer> {
  return async (outbound, listener) => {
    const frame = await core.local().ask(requestOf(outbound), listener.progress);
    if (frame.type === MessageType.ERROR) return frame;
    listener.result(frame.result);
    return null;
  };
}

function requestOf({ command, method, params, timeout, job }: Outbound): Request {
  const seconds = timeout ?? undefined;
  return {
    command,
    id: null,
    method,
    params: Buffer.from(params),
    kwargs: { timeout: seconds, job },
    timeout: seconds,
    close: false,
    keep: false,
    jobId: true,
    notSent: false,
    version: null,
    ifIdle: false,
    insecure: null,
    text: null,
  };
}
