/** Messages no server should send, by a random generator that a seed determines. */
import { frame, type Victim } from './hostile-server.js';
import { randomText } from './random-json.js';

export interface Dice {
  readonly random: () => number;
  readonly pick: <T>(list: readonly T[]) => T;
}

export function diceOf(random: () => number): Dice {
  return {
    random,
    pick: <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T,
  };
}

/** Ids of calls long over, which a server may answer again. */
export type Old = readonly string[];

const IDS = ['"nobody-1"', '1', '0', '-1', '1.5', 'true', '[]', '{}', '""', '1e999', 'null'];
const ODD = [
  ...['null', 'true', '0', '-1', '1e999', 'NaN', '"x"', '""', '[]', '{}', '[[]]', '{"a": {}}'],
  ...['"\\ud800"', '99999999999999999999999', '[1,', '"', '{"a"', '-', 'nul', ']', '\u0000'],
];

/** What a connection survives. Nothing of it answers a call that is still open. */
export function pester(victim: Victim, dice: Dice, old: Old): void {
  const { random, pick } = dice;
  const { say, raw, isLegacy } = victim;
  const known = old.length > 0 && random() < 0.5 ? JSON.stringify(pick(old)) : pick(IDS);
  switch (pick(KINDS)) {
    case 'answer':
      say(isLegacy ? legacyAnswer(known, dice) : rpcAnswer(known, dice));
      return;
    case 'job':
      victim.event(`{"id": ${pick(ODD)}, "message_ids": ${pick(ODD)}, "state": ${pick(ODD)}}`);
      victim.event(jobGarbage(dice));
      return;
    case 'notification':
      say(
        isLegacy
          ? `{"msg": ${pick(MESSAGES)}, "collection": ${pick(ODD)}, "fields": ${pick(ODD)}}`
          : `{"jsonrpc": "2.0", "method": ${pick(METHODS)}, "params": ${pick(ODD)}}`,
      );
      return;
    case 'json':
      say(randomText(random));
      return;
    case 'no JSON':
      say(pick(['', ' ', 'x', '{', '[', '"', '\u0000', '{]', '[}', '{}{}', '\ufeff{}', ...ODD]));
      return;
    case 'truncated': {
      const whole = isLegacy ? legacyAnswer('"nobody"', dice) : rpcAnswer('"nobody"', dice);
      say(whole.slice(0, Math.floor(random() * whole.length)));
      return;
    }
    case 'binary':
      victim.socket.send(Buffer.from(rpcAnswer(known, dice)), { binary: true }, () => undefined);
      return;
    case 'control':
      raw(frame(pick([0x89, 0x8a]), Buffer.alloc(Math.floor(random() * 126), 'p')));
      return;
    case 'fragments':
      raw(Buffer.concat([frame(0x01, '{"jso'), frame(0x89, 'between'), frame(0x00, '')]));
      raw(frame(0x80, 'npc": "2.0"}'));
      return;
    case 'empty':
      raw(Buffer.concat([frame(0x81, ''), frame(0x82, ''), frame(0x01, ''), frame(0x80, '')]));
  }
}

const KINDS = [
  ...['answer', 'answer', 'job', 'job', 'notification', 'json', 'no JSON', 'truncated'],
  ...['binary', 'control', 'fragments', 'empty'],
] as const;
const METHODS = ['"collection_update"', '"notify_unsubscribed"', '"core.ping"', '""', '5', '[]'];
const MESSAGES = ['"added"', '"changed"', '"removed"', '"nosub"', '"connected"', '"odd"', '7'];

function rpcAnswer(id: string, { random, pick }: Dice): string {
  const what = pick([`"result": ${pick(ODD)}`, `"error": ${rpcError(pick)}`, '"neither": 1']);
  const both = random() < 0.1 ? ', "result": 1, "error": null' : '';
  return `{"jsonrpc": ${pick(['"2.0"', '"1.0"', '2', 'null'])}, ${what}${both}, "id": ${id}}`;
}

function legacyAnswer(id: string, { pick }: Dice): string {
  const kind = pick(['"result"', '"result"', '"ready"', '"nosub"', '"updated"', '{}', 'null']);
  const error = `{"error": ${pick(ODD)}, "type": ${pick(['"VALIDATION"', ...ODD])}, "reason": ${pick(ODD)}, "trace": ${pick(ODD)}, "extra": ${pick(ODD)}}`;
  const what = pick([
    `"result": ${pick(ODD)}`,
    `"error": ${pick([error, ...ODD])}`,
    `"subs": ${pick(ODD)}`,
    '"x": 1',
  ]);
  return `{"msg": ${kind}, ${what}, "id": ${id}}`;
}

function rpcError(pick: Dice['pick']): string {
  const code = pick(['-32001', '-32602', '-32000', '-32700', ...ODD]);
  const data = `{"error": ${pick(ODD)}, "reason": ${pick(ODD)}, "trace": ${pick(ODD)}, "extra": ${pick(['[["a", 5, "x"]]', '[5]', ...ODD])}}`;
  return pick([
    `{"code": ${code}, "message": ${pick(ODD)}, "data": ${pick([data, ...ODD])}}`,
    ...ODD,
  ]);
}

/** An event of somebody else's job, most of its members odd. */
function jobGarbage({ pick, random }: Dice): string {
  const members = Object.entries({
    id: ['1', '2', '77', ...ODD],
    message_ids: ['["nobody-1"]', '[1, null, "x"]', '[[[', ...ODD],
    method: ['"test.other"', ...ODD],
    progress: ['{"percent": "x", "description": 5}', '{"percent": [1,\n2]}', ...ODD],
    state: ['"SUCCESS"', '"FAILED"', '"ABORTED"', '"RUNNING"', '"\\ud800"', ...ODD],
    exc_info: ['{"type": "VALIDATION", "extra": [[5]]}', '{"type": 5, "repr": []}', ...ODD],
    result: ['"not yours"', ...ODD],
    error: ODD,
    exception: ODD,
    result_encoding_error: ODD,
    time_started: ODD,
  }).filter(() => random() < 0.8);
  return `{${members.map(([name, values]) => `"${name}": ${pick(values)}`).join(', ')}}`;
}

/** What ends a connection, for one side or the other. */
export const FATAL: Readonly<Record<string, (victim: Victim) => void>> = {
  'bad UTF-8': ({ raw }) => {
    raw(frame(0x81, Buffer.from('{"result": "\xc3\x28\xff"}', 'latin1')));
  },
  'a compressed frame': ({ raw }) => {
    raw(frame(0xc1, Buffer.from('789caa5603', 'hex')));
  },
  'reserved bits': ({ raw }) => {
    raw(frame(0xb1, 'x'));
  },
  'an opcode there is none of': ({ raw }) => {
    raw(frame(0x83, 'x'));
  },
  'a masked frame': ({ raw }) => {
    raw(Buffer.from([0x81, 0x81, 1, 2, 3, 4, 5]));
  },
  'a control frame in fragments': ({ raw }) => {
    raw(frame(0x09, 'x'));
  },
  'a continuation of nothing': ({ raw }) => {
    raw(frame(0x80, 'x'));
  },
  'a frame longer than numbers go': ({ raw }) => {
    raw(Buffer.from([0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255]));
  },
  'a close with half a code': ({ raw }) => {
    raw(frame(0x88, 'x'));
  },
  'a close with a code there is none of': ({ raw }) => {
    raw(frame(0x88, Buffer.from([0x03, 0xed]))); // 1005
  },
  'a proper close': ({ socket }) => {
    socket.close(1001, 'going away');
  },
  'a break in the middle of a message': ({ socket, raw }) => {
    raw(frame(0x81, Buffer.alloc(1000, '{"jsonrpc": ')).subarray(0, 500));
    socket.terminate();
  },
  'a break between two fragments': ({ socket, raw }) => {
    raw(frame(0x01, '{"jsonrpc": "2.0", '));
    socket.terminate();
  },
  'a break without a word': ({ socket }) => {
    socket.terminate();
  },
};
