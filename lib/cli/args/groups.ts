/** The words of the commands that stand in groups: `job …`, `profile …`, `service …`. */
import type { JobCommand, ProfileCommand, ServiceCommand } from './arguments.js';
import {
  ABORT,
  FORMAT,
  HELP,
  JOB_PRINT,
  JSON_OUTPUT,
  OUTPUT,
  own,
  type Command,
  type Option,
} from './options.js';
import { choice } from './values.js';

export const STATES = ['WAITING', 'RUNNING', 'SUCCESS', 'FAILED', 'ABORTED'];
/** Of a job that exists. */
function jobCommand(...options: Option[]): Command {
  return { options: [HELP, ...options], positional: 'id', most: 1 };
}

export const JOB_COMMANDS = new Map<JobCommand, Command>([
  [
    'job list',
    {
      options: [
        HELP,
        own('state', '--state', 'string', (text) => choice(text.toUpperCase(), STATES)),
        own('mine', '--mine', 'boolean'),
        JSON_OUTPUT,
      ],
      positional: null,
      most: 0,
    },
  ],
  ['job show', jobCommand(JSON_OUTPUT)],
  ['job wait', jobCommand(FORMAT, ABORT)],
  ['job follow', jobCommand(FORMAT, JOB_PRINT, ABORT)],
  ['job abort', jobCommand()],
  ['job log', jobCommand(OUTPUT)],
]);

export const GROUP: Option = {
  ...{ key: 'group', names: ['-g', '--group'], type: 'string' },
  ...{ repeats: true, added: true },
};

export const PROFILE_COMMANDS = new Map<ProfileCommand, Command>([
  [
    'profile add',
    {
      options: [HELP, GROUP, { ...own('check', '--no-check', 'boolean'), negates: true }],
      positional: 'name',
      most: 1,
    },
  ],
  [
    'profile list',
    {
      options: [HELP, JSON_OUTPUT, own('ansible', '--ansible', 'boolean')],
      positional: null,
      most: 0,
    },
  ],
  ['profile show', { options: [HELP, JSON_OUTPUT], positional: 'name', most: 1 }],
  ['profile remove', { options: [HELP], positional: 'name', most: 1 }],
  [
    'profile default',
    {
      options: [HELP, own('none', '--none', 'boolean')],
      ...{ positional: null, optional: 'name', most: 1 },
    },
  ],
]);

const NO_WORDS = { positional: null, most: 0 };

export const SERVICE_COMMANDS = new Map<ServiceCommand, Command>([
  ['service install', { options: [HELP, own('print', '--print', 'boolean')], ...NO_WORDS }],
  ['service remove', { options: [HELP], ...NO_WORDS }],
  ['service status', { options: [HELP], ...NO_WORDS }],
]);
