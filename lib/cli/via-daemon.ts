/** `midclt -d call`, `midclt -d ping`, `midclt daemon-stop`: all they do is a round trip to the daemon. */
import { sendRequest, sendStop, type ReceivedFrame } from '../client.js';
import { isMidcltError, MidcltError } from '../errors.js';
import { quote, stringOf } from '../members.js';
import { daemonPaths } from '../paths.js';
import { MessageType } from '../protocol.js';
import type { Arguments } from './argv.js';
import { printErrorFrame, printResult, sayLine } from './output.js';
import { paramsText } from './params.js';
import type { ProgressView } from './progress.js';

/** Returns the exit code. Throws what {@link sendRequest} rejects with. */
export async function callViaDaemon(args: Arguments): Promise<number> {
  const [method = '', ...rest] = args.method;
  const socket = daemonPaths(args.uri, args.username).socket;
  const line = `{"command":"call","method":${quote(method)},"params":${paramsText(rest)},"kwargs":${kwargsText(args)},"close":true}\n`;
  const view = args.job ? progressView(args.jobPrint) : null;
  const frame = await sendRequest(socket, line, (progress) =>
    view?.update(...progressOf(progress)),
  );
  const succeeded = frame.type === MessageType.RESULT;
  view?.finish(succeeded);
  if (!succeeded) {
    if (!args.quiet) printErrorFrame(frame);
    return 1;
  }
  printResult(resultOf(frame));
  return 0;
}

export async function pingViaDaemon(args: Arguments): Promise<number> {
  const socket = daemonPaths(args.uri, args.username).socket;
  const timeout = timeoutOf(args);
  const line = `{"command":"ping"${timeout === null ? '' : `,"timeout":${timeout}`},"close":true}\n`;
  const frame = await sendRequest(socket, line, () => undefined);
  if (frame.type !== MessageType.RESULT) {
    sayLine(`Ping failed: ${stringOf(frame.members.get('error')) ?? 'Unknown error'}`);
    return 1;
  }
  printResult(resultOf(frame));
  return 0;
}

/** Returns when the daemon is gone. */
export async function stopDaemon(args: Arguments): Promise<number> {
  let frame: ReceivedFrame;
  try {
    frame = await sendStop(daemonPaths(args.uri, args.username).socket);
  } catch (error) {
    if (!isMidcltError(error) || error.code !== 'NO_DAEMON') throw error;
    sayLine('No daemon is currently running');
    return 1;
  }
  if (frame.type !== MessageType.RESULT) {
    sayLine(`Error stopping daemon: ${stringOf(frame.members.get('error')) ?? 'Unknown error'}`);
    return 1;
  }
  sayLine(stringOf(frame.members.get('result')) ?? 'Daemon shutting down');
  return 0;
}

function kwargsText(args: Arguments): string {
  const timeout = timeoutOf(args);
  const members = timeout === null ? [] : [`"timeout":${timeout}`];
  if (args.job) members.push('"job":true');
  return `{${members.join(',')}}`;
}

/** Seconds, from `-t` or this process's `CALL_TIMEOUT`; null leaves it to the daemon. */
function timeoutOf({ timeout }: Arguments): number | null {
  if (timeout !== null && timeout > 0) return timeout;
  const seconds = Number(process.env.CALL_TIMEOUT ?? '');
  return seconds > 0 && seconds < Infinity ? seconds : null;
}

function resultOf({ members }: ReceivedFrame): Buffer {
  const result = members.get('result');
  if (!result) throw new MidcltError('PROTOCOL', 'The daemon sent a result frame without a result');
  return result;
}

function progressOf({ members }: ReceivedFrame): [number | null, string | null] {
  const percent = Number(members.get('percent')?.toString('latin1') ?? '');
  return [Number.isFinite(percent) ? percent : null, stringOf(members.get('description'))];
}

function progressView(kind: Arguments['jobPrint']): ProgressView {
  const { DescriptionLines, ProgressBar } =
    require('./progress.js') as typeof import('./progress.js');
  const { stderr } = process;
  stderr.on('error', () => undefined); // a closed stderr must not end the call
  const out = {
    isTTY: stderr.isTTY,
    get columns() {
      return stderr.columns;
    },
    write: (text: string) => void stderr.write(text),
  };
  return kind === 'description' ? new DescriptionLines(out) : new ProgressBar(out, process.env);
}
