/** `types`: TypeScript's types of a server's methods and events, over a daemon or without one. */
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { MidcltError } from '../../errors.js';
import { stringOf } from '../../json/members.js';
import { JsonText } from '../../json/text.js';
import { startTurn } from '../../steps.js';
import { Sink, WholeFile } from '../../transfer/sink.js';
import type { Arguments } from '../args/arguments.js';
import { writeOut } from '../output/output.js';
import { typesText, type Told } from '../types/file.js';
import { fieldsOf, type Fields } from '../types/schema.js';
import { timeoutOf } from './call.js';
import {
  callOf,
  ErrorAnswer,
  onSignal,
  reportingErrors,
  resultOf,
  withExchange,
} from './exchange.js';
import { endingSignals } from './signals.js';

/** In a directory. */
const NAME = 'truenas.d.ts';
/** It has no secrets. The umask takes from it. */
const MODE = 0o666;

/** Returns the exit code. */
export function typesCommand(args: Arguments): Promise<number> {
  return reportingErrors(write(args));
}

async function write(args: Arguments): Promise<number> {
  const told = await ask(args);
  const text = await textOf(typesText(told, { made: new Date(), bigint: args.bigint }));
  const { output } = args;
  if (output === null || output === '-') {
    writeOut(text);
    return 0;
  }
  const sink = await Sink.open(output);
  if (sink) await send(text, sink);
  else await save(text, isDirectory(output) ? path.join(output, NAME) : output);
  return 0;
}

/** Of the methods the server has to say something. */
function ask(args: Arguments): Promise<Told> {
  return withExchange(args, async (exchange) => {
    const call = (method: string) => resultOf(exchange, callOf(method, '[]', timeoutOf(args)));
    const methods = valuesOf(await call('core.get_methods'));
    if (!methods)
      throw new MidcltError('PROTOCOL', 'The server answered with no list of its methods');
    const events = await orNull(call('core.get_events'));
    return {
      version: stringOf(await orNull(call('system.version'))),
      methods,
      events: valuesOf(events),
    };
  });
}

async function orNull(result: Promise<Buffer>): Promise<Buffer | null> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof ErrorAnswer) return null;
    throw error;
  }
}

function valuesOf(text: Buffer | null): Fields | null {
  return text && fieldsOf(new JsonText(text.toString()).value());
}

/** A signal has its turn meanwhile. */
async function textOf(pieces: Iterable<string>): Promise<Buffer> {
  const text: string[] = [];
  let turn = startTurn();
  for (const piece of pieces) {
    text.push(piece);
    if (!turn.isOver()) continue;
    await setImmediate();
    turn = startTurn();
  }
  return Buffer.from(text.join(''));
}

async function send(text: Buffer, sink: Sink): Promise<void> {
  const end = once(sink, 'finish');
  sink.end(text);
  await end;
}

function isDirectory(target: string): boolean {
  return fs.statSync(target, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** The file is there when it is whole; what had its name before is as it was until then. */
async function save(text: Buffer, target: string): Promise<void> {
  const file = WholeFile.open(target, MODE);
  const discard = () => {
    file.discard();
  };
  const forget = onSignal(discard, endingSignals());
  try {
    await send(text, file.sink);
    file.commit(NAME);
  } finally {
    discard();
    forget();
  }
}
