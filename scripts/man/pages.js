'use strict';
// midclt(1) and midclt-daemon(1), of the words of the command line (lib/cli/words).
const path = require('node:path');
const roff = require('./roff.js');

const { bold, example, foldedCommand, italic, filled, paragraphs, prose, request, tagged } = roff;

const words = path.join(__dirname, '../../dist/lib/cli/words');
const { COMMAND_WORDS, GROUP_WORDS, ...described } = require(path.join(words, 'words.js'));
const { describedArguments, describedGlobals, describedOptions, usageWords } = described;
const { exitCodes, seeTerm } = require(path.join(words, 'help.js'));
const { OPTION_GROUPS } = require(path.join(words, 'options.js'));
const { SIGNALS } = require(path.join(words, 'daemons.js'));
const around = require(path.join(words, 'surroundings.js'));

/** The commands that have a page of their own together. */
const DAEMON_COMMANDS = Object.keys(COMMAND_WORDS).filter((name) => /^daemon/.test(name));

function midclt() {
  const commands = Object.keys(COMMAND_WORDS).filter((name) => !DAEMON_COMMANDS.includes(name));
  return [
    ...name('midclt', "command-line client of TrueNAS's middleware"),
    ...section('SYNOPSIS'),
    synopsis(['[OPTION ...]', 'COMMAND', '[ARGUMENT ...]']),
    '.br',
    synopsis(usageWords('help')),
    ...section('DESCRIPTION'),
    ...blocks([around.ABOUT]),
    ...section('COMMANDS'),
    ...commands.flatMap((each) => [...groupBefore(each), ...command(each)]),
    ...subsection(DAEMON_COMMANDS.join(', ')),
    ...blocks(['The daemon, and the commands beside it: see midclt-daemon(1).']),
    ...section('OPTIONS'),
    ...blocks(['These may stand before each command, and behind it.']),
    ...OPTION_GROUPS.flatMap((group) => [
      ...subsection(group.title),
      ...blocks(group.text ?? []),
      ...options(describedGlobals(group)),
      ...blocks(group.notes ?? []),
    ]),
    ...section('ENVIRONMENT'),
    ...terms(around.VARIABLES),
    ...section('FILES'),
    ...around.FILES.flatMap(part),
    ...section('EXIT STATUS'),
    ...terms(around.EXIT_CODES),
    ...section('EXAMPLES'),
    ...examples(around.EXAMPLES),
    ...section('SEE ALSO'),
    pages(['midclt-daemon(1)', 'midclt-protocol(7)', 'jq(1)']),
  ];
}

function daemon() {
  const about = new Set(['MIDCLT_HOME', 'HOME', 'CALL_TIMEOUT', 'NODE_EXTRA_CA_CERTS']);
  const [first, ...others] = DAEMON_COMMANDS;
  return [
    ...name('midclt-daemon', "keeps one connection to TrueNAS's middleware for every call"),
    ...section('SYNOPSIS'),
    ...DAEMON_COMMANDS.flatMap((each) => [synopsis(usageWords(each)), '.br']).slice(0, -1),
    ...section('DESCRIPTION'),
    ...body(first, { isPage: true }),
    ...section('COMMANDS'),
    ...others.flatMap(command),
    ...section('SIGNALS'),
    ...terms(SIGNALS),
    ...section('FILES'),
    ...around.FILES.slice(0, 1).flatMap(part),
    ...section('ENVIRONMENT'),
    ...terms(around.VARIABLES.filter(([each]) => about.has(each))),
    ...section('EXIT STATUS'),
    ...terms(exitCodes(COMMAND_WORDS[first])),
    ...section('EXAMPLES'),
    ...examples(COMMAND_WORDS[first].examples),
    ...section('SEE ALSO'),
    pages(['midclt(1)', 'midclt-protocol(7)', 'systemd.socket(5)']),
  ];
}

function name(page, what) {
  return [
    ...section('NAME'),
    `${page.replaceAll('-', '\\-')} \\- ${what.replaceAll("'", '\\(aq')}`,
  ];
}

function section(title) {
  return [request('SH', title)];
}

function subsection(title) {
  return [request('SS', title.replaceAll('-', '\\-'))];
}

function pages(names) {
  return names
    .map((each) => each.replace(/^(.*)(\(.*)$/, (_, page, number) => bold(page) + number))
    .join(',\n');
}

/** Each word in the face that it has in a synopsis; none is broken. */
function synopsis(given) {
  const text = given.map((word) =>
    word
      .split(/(\s+|[[\]|])/)
      .map((part) => {
        if (/^[A-Z]+$/.test(part)) return italic(part);
        if (/^\s+$/.test(part)) return '\\ ';
        return /^[-\w]/.test(part) ? bold(part) : part;
      })
      .join(''),
  );
  return [bold('midclt'), ...text].join(' ');
}

/** Before the first command of a group: what they have in common. */
function groupBefore(command) {
  const [group, rest] = command.split(' ');
  const words = GROUP_WORDS.get(group);
  const first = Object.keys(COMMAND_WORDS).find((each) => each.startsWith(`${group} `));
  if (rest === undefined || !words || first !== command) return [];
  return [...subsection(group), ...blocks(words.text), ...(words.sections ?? []).flatMap(part)];
}

function command(each) {
  return [...subsection(each), synopsis(usageWords(each)), ...body(each, { isPage: false })];
}

/** What there is to tell of a command. On its own page some of it has sections of their own. */
function body(each, { isPage }) {
  const about = COMMAND_WORDS[each];
  const { text, notes = [], sections = [], examples: given = [], see, timeout } = about;
  const more = timeout === undefined ? [] : [`-t is ${timeout}.`];
  const rest = isPage
    ? []
    : [
        ...sections.flatMap(part),
        ...blocks([exitText(about)]),
        ...examples(given),
        ...paragraphs([`See also ${see.map((next) => bold(seeTerm(next)[0])).join(', ')}.`]),
      ];
  return [
    ...blocks(text),
    ...terms(
      describedArguments(each).map(({ name, is }) => [name, is]),
      italic,
    ),
    ...options(describedOptions(each).filter(({ key }) => key !== 'help')),
    ...blocks([...more, ...notes]),
    ...rest,
  ];
}

function exitText(about) {
  const codes = exitCodes(about).filter(([, meaning]) => meaning !== 'wrong usage');
  return `Exit status: ${codes.map(([code, meaning]) => `${code} ${meaning}`).join('; ')}.`;
}

function options(described) {
  return described.flatMap(({ names, value, text, list }) => {
    const named = names.map((each) => bold(each)).join(', ');
    const tag = value ? `${named} ${italic(value.name)}` : named;
    const more = list.length > 0 ? ['.RS', ...terms(list), '.RE'] : [];
    return [...tagged(tag, [filled(prose(`${text}${list.length > 0 ? ':' : '.'}`))]), ...more];
  });
}

function terms(given, face = bold) {
  return given.flatMap(([term, meaning]) => tagged(face(term), [filled(prose(`${meaning}.`))]));
}

function part({ title, blocks: given }) {
  return [...paragraphs([`${bold(title)}:`]), ...blocks(given)];
}

function blocks(given) {
  return given.flatMap((block) => {
    if (typeof block === 'string') return paragraphs([prose(block)]);
    return 'terms' in block ? terms(block.terms) : example(block.lines);
  });
}

/** Those without a note stand together. */
function examples(given) {
  const plain = given.flatMap((each) => (typeof each === 'string' ? each.split('\n') : []));
  const noted = given.filter((each) => typeof each !== 'string');
  return [
    ...(plain.length > 0 ? example(plain, foldedCommand) : []),
    ...noted.flatMap(({ command: text, note }) => [
      ...paragraphs([prose(`${note}:`)]),
      ...example(text.split('\n'), foldedCommand),
    ]),
  ];
}

module.exports = { daemon, midclt };
