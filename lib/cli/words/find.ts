/** The words of the commands that tell what a server has. */
import { METHOD } from './calls.js';
import { flag, takes, type CommandWords } from './word.js';

export const METHODS: CommandWords = {
  summary: 'the methods of the server, or those of a name',
  reach: 'either',
  text: [
    'List the methods that the server has for this user, with what each is about. KIND says which are jobs, which of them write a file (download), and which read some (upload).',
  ],
  arguments: [
    {
      ...{ name: 'PATTERN', kind: 'method pattern' },
      is: "a part of a name ('pool'), or a pattern of all of it ('pool.*', 'user.[cu]*'); capitals don't matter. A part that no name has is looked for in what the methods are about ('time zone')",
    },
  ],
  options: {
    json: flag('print them as one JSON document'),
    refresh: flag(
      'ask the server anew',
      '. Else its answer is kept for a day, while its version and the user are the same; without -d it is believed for ten minutes unasked',
    ),
  },
  exits: ['listed', 'none matches, or the call failed'],
  examples: ['midclt -d methods snapshot', "midclt -d methods 'pool.*' | grep job"],
  see: ['describe', 'call', 'events'],
};

export const DESCRIBE: CommandWords = {
  summary: 'what a method takes and returns, with examples',
  reach: 'either',
  text: [
    'Tell what a method does, takes and returns, as far as the server says, and show commands to copy.',
  ],
  arguments: [{ ...METHOD, is: "such as pool.scrub; 'midclt methods' lists them" }],
  options: {
    json: flag("print the server's own entry of it", ': JSON Schemas'),
    refresh: flag('ask the server anew', ", as with 'methods'"),
  },
  exits: ['told', 'there is no such method, or the call failed'],
  examples: [
    'midclt -d describe pool.scrub',
    'midclt -d describe user.create --json | jq .accepts',
  ],
  see: ['methods', 'call', 'types'],
};

export const EVENTS: CommandWords = {
  summary: 'the events of the server, up to TrueNAS 26',
  reach: 'either',
  text: [
    "List the events of the server that 'subscribe' can print. TrueNAS from 27 on has no list of them.",
  ],
  arguments: [{ name: 'PATTERN', kind: 'event pattern', is: "as for 'methods'" }],
  options: { json: flag("print the server's own entries") },
  exits: ['listed', 'none matches, or there is no list, or the call failed'],
  examples: ['midclt -d events pool'],
  see: ['subscribe', 'methods'],
};

export const TYPES: CommandWords = {
  summary: "TypeScript's types of the server's methods",
  reach: 'either',
  text: [
    "Write TypeScript's types of the methods and events of this server, as far as it describes them. A program of the Node API that says connect<TrueNAS>() has its method names, parameters and results checked against them.",
  ],
  options: {
    output: takes(
      'FILE',
      'file or directory',
      'write into this file',
      ", or into truenas.d.ts in this directory; '-', the default, is stdout",
    ),
    bigint: flag(
      'integers of results are number | bigint',
      ', which is what connect({ bigint: true }) gives',
    ),
  },
  timeout: 'how long a call may take',
  notes: [
    'They are of the methods that this user may call. What the server does not describe is unknown in the file, which says so: results before 25.04, and events from 27 on.',
  ],
  exits: ['written', "a call failed, or the file can't be written"],
  examples: ['midclt -d types -o truenas.d.ts'],
  see: ['describe', 'methods'],
};
