/** The words of jobs, and of the files that they read and write. */
import type { JobCommand } from '../args/arguments.js';
import { MAX_FILES } from '../../protocol/frames.js';
import { STATES } from '../args/groups.js';
import { FORMAT_AS_CALL, JOB_PRINT, METHOD } from './calls.js';
import { flag, takes, type ArgumentWords, type CommandWords, type GroupWords } from './word.js';

const ID: ArgumentWords = {
  ...{ name: 'ID', kind: 'job' },
  is: "the number of a job, as 'job list' shows it and 'call -j --detach' prints it",
};

const ABORT = flag(
  'abort the job on Ctrl-C',
  ', and wait until it has ended; a second Ctrl-C leaves it alone',
);

const states = STATES.map((each) => each.toLowerCase());

export const JOB: GroupWords = {
  summary: 'list jobs, show, wait for, follow or abort one',
  reach: 'either',
  text: ['The jobs of the middleware: what runs there longer than a call.'],
  see: ['call', 'download', 'upload'],
};

export const JOB_WORDS: Readonly<Record<JobCommand, CommandWords>> = {
  'job list': {
    summary: 'list the jobs that the server knows',
    reach: 'either',
    text: ['List the jobs that the server knows and shows to this user, the newest first.'],
    options: {
      state: {
        value: { name: 'STATE', kind: 'choice', choices: states },
        is: 'only those in this state',
        more: ': {choices}',
      },
      mine: flag(
        'only those of the user who is logged in',
        '; the server forgets whose a job is when the connection closes that started it',
      ),
      json: flag('print them as one JSON document', ', without arguments and results'),
    },
    exits: ['listed', 'the call failed'],
    examples: ['midclt -d job list', 'midclt -d job list --state running --json'],
    see: ['job show', 'job follow', 'job abort'],
  },
  'job show': {
    summary: 'show all that is known of a job',
    reach: 'either',
    text: ['Show what the server knows of a job.'],
    arguments: [ID],
    options: { json: flag("print it as the server's own JSON") },
    exits: ['shown', 'there is no such job, or the call failed'],
    examples: ['midclt -d job show 1234'],
    see: ['job wait', 'job log'],
  },
  'job wait': {
    summary: "wait for a job's end, and print its result",
    reach: 'either',
    text: [
      "Wait for a job's end, and print its result as 'call -j' does. Ctrl-C ends the waiting alone, and says how to go on.",
    ],
    arguments: [ID],
    options: { format: FORMAT_AS_CALL, abortOnInterrupt: ABORT },
    timeout: 'how long to wait',
    exits: ['the job succeeded', 'it failed or was aborted'],
    examples: ['midclt -d -t 600 job wait 1234'],
    see: ['job follow', 'job log', 'job abort'],
  },
  'job follow': {
    summary: 'wait for a job, with its progress on stderr',
    reach: 'either',
    text: [
      "Wait for a job's end with its progress on stderr, and print its result. Ctrl-C ends the waiting alone, and says how to go on.",
    ],
    arguments: [ID],
    options: { format: FORMAT_AS_CALL, jobPrint: JOB_PRINT, abortOnInterrupt: ABORT },
    timeout: 'how long to wait',
    exits: ['the job succeeded', 'it failed or was aborted'],
    examples: ['midclt -d job follow 1234'],
    see: ['job log', 'job abort'],
  },
  'job abort': {
    summary: 'end a job',
    reach: 'either',
    text: ['Abort a job, and wait until it has ended. Nothing is printed then.'],
    arguments: [ID],
    exits: ['it is aborted', 'it is not, or had ended before'],
    examples: ['midclt -d job abort 1234'],
    see: ['job show', 'job list'],
  },
  'job log': {
    summary: 'print what a job has logged',
    reach: 'either',
    text: ['Print what a job has logged.'],
    arguments: [ID],
    options: {
      output: takes('FILE', 'file', 'print into this file', "; '-', the default, is stdout"),
    },
    exits: ['printed', 'there is no log, or it could not be had'],
    examples: ['midclt -d job log 1234 -o job.log'],
    see: ['job show', 'download'],
  },
};

const PRINTED_ARG: ArgumentWords = { name: 'ARG', kind: 'text', is: "as for 'call'" };

const NO_PROGRESS = flag('show no progress');

export const DOWNLOAD: CommandWords = {
  summary: 'save what a job writes, such as config.save',
  reach: 'either',
  text: [
    'Start a job that writes a file, and save what it writes. The file appears under its name when it is whole, readable by its owner alone.',
  ],
  arguments: [{ ...METHOD, is: 'such as config.save or filesystem.get' }, PRINTED_ARG],
  options: {
    output: takes(
      'FILE',
      'file or directory',
      'where to save it',
      ": a file, a directory, or '-' for stdout. Without it the server names the file, which is made in the current directory; its name is printed",
    ),
    buffered: flag(
      'let the server keep what the job writes until it has ended',
      ': for a job that writes nothing for minutes',
    ),
    quiet: NO_PROGRESS,
  },
  timeout: 'how long the start may take',
  exits: [
    'the file is whole, and the job succeeded',
    'it is not, or the job failed: a file of that name is as it was',
  ],
  examples: [
    'midclt -d download config.save -o /backup/nas.db',
    'midclt -d download filesystem.get /mnt/tank/notes.txt -o - | less',
  ],
  see: ['upload', 'job list', 'methods'],
};

export const UPLOAD: CommandWords = {
  summary: 'give files to a job, such as filesystem.put',
  reach: 'either',
  text: ['Start a job that reads files, send them, wait for it and print its result.'],
  arguments: [{ ...METHOD, is: 'such as filesystem.put or config.upload' }, PRINTED_ARG],
  options: {
    file: {
      ...takes('FILE', 'file', 'a file to send', `, ${MAX_FILES} at most; '-' is stdin`),
      isRequired: true,
    },
    jobPrint: JOB_PRINT,
    quiet: NO_PROGRESS,
  },
  timeout: 'how long a call may take that the transfer needs',
  exits: ['the job has read the files, and succeeded', 'it has not, or failed'],
  examples: [
    'midclt -d upload filesystem.put /mnt/tank/notes.txt --file notes.txt',
    'tar c . | midclt -d upload filesystem.put /mnt/tank/all.tar --file -',
  ],
  see: ['download', 'job list'],
};
