'use strict';
// Manual pages in roff, with the macros of man(7): text, terms and examples to lines of it.

/** What a line of an example may have on a terminal of 80 columns. */
const WIDTH = 65;

const NAMES = { '\\': 'e', '-': '-', "'": '(aq', '`': '(ga', '^': '(ha', '~': '(ti', '"': '(dq' };

/** Text that stays as it is spelt. */
function escaped(text) {
  return text
    .replace(/[\\\-'`^~"]/g, (character) => `\\${NAMES[character]}`)
    .replace(/[^ -~\n]/gu, (character) => `\\[u${hexadecimal(character)}]`);
}

function hexadecimal(character) {
  return character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0');
}

function bold(text) {
  return `\\fB${escaped(text)}\\fR`;
}

function italic(text) {
  return `\\fI${escaped(text)}\\fR`;
}

/** Where what is to be typed stands in quotes, and options and variables as they are. */
const TYPED =
  /(?<![\w'])'([^\s'](?:[^']{0,58}[^\s'])?)'(?!\w)|(?<![\w/<-])(--?[A-Za-z][\w-]*)|\b(?:MIDCLT_[A-Z_]+|[A-Z]+_[A-Z_]+)\b|\bmidclt-[a-z]+\(\d\)/g;

/** A sentence of the words. */
function prose(text) {
  let from = 0;
  let result = '';
  for (const found of text.matchAll(TYPED)) {
    const [whole, quoted = whole] = found;
    const typed = bold(isPlain(quoted) ? quoted : whole).replaceAll(' ', '\\ ');
    result += escaped(text.slice(from, found.index)) + typed;
    from = found.index + whole.length;
  }
  return result + escaped(text.slice(from));
}

/** What a shell reads as it is: the quotes were those of the sentence. */
function isPlain(text) {
  return /^[\w-][^*?{"[\]]+$/.test(text);
}

/** A line of text can't begin with what would make it a request. */
function guarded(text) {
  return /^[.']/.test(text) ? `\\&${text}` : text;
}

/** Text in lines that are short, as roff's own are to be. */
function filled(text) {
  const lines = [''];
  for (const word of text.split(/(?<!\\) +/)) {
    const line = lines.at(-1);
    if (line !== '' && line.length + word.length >= WIDTH) lines.push(guarded(word));
    else lines[lines.length - 1] = line === '' ? guarded(word) : `${line} ${word}`;
  }
  return lines.join('\n');
}

/** A request, with arguments that may have blanks. */
function request(name, ...args) {
  return ['.' + name, ...args.map((each) => (/[ "]|^$/.test(each) ? `"${each}"` : each))].join(' ');
}

function head(name, section, date, source) {
  return [
    request('TH', name.toUpperCase().replaceAll('-', '\\-'), section, date, source, 'midclt'),
    // Without hyphens and even margins: what is to be typed stays as it is.
    '.nr HY 0', // which the end of an example sets back to
    '.nh',
    '.ad l',
  ];
}

/** Paragraphs of roff, apart from each other. */
function paragraphs(texts) {
  return texts.flatMap((text) => ['.PP', filled(text)]);
}

/** A term, and lines of its meaning. */
function tagged(term, lines) {
  return ['.TP', guarded(term), ...lines];
}

/** Lines as they are, folded where they are too long. */
function example(lines, fold = folded) {
  const text = lines.flatMap((each) => fold(each)).map((each) => guarded(escaped(each)));
  return ['.PP', '.RS 4', '.EX', ...text, '.EE', '.RE'];
}

/** A line in pieces, at blanks and behind commas; what goes on is indented. */
function folded(text, width = WIDTH) {
  return pieces(text, width, /(?<=,)|(?<= )/);
}

/** A command of a shell, of which each line but the last ends with a backslash; quoted words stay whole. */
function foldedCommand(text) {
  if (text.length <= WIDTH) return [text];
  const words = text.match(/(?:'[^']*'|"[^"]*"|\\.|[^\s'"\\])+/g) ?? [text];
  const indent = /^ */.exec(text)[0];
  const lines = [];
  let current = indent;
  for (const word of words) {
    const isFirst = current.trim() === '';
    const isLong = indent.length + word.length + 6 > WIDTH; // it has no room on any line
    if (!isFirst && !isLong && current.length + word.length + 3 > WIDTH) {
      lines.push(`${current} \\`);
      current = `${indent}    ${word}`;
    } else current += isFirst ? word : ` ${word}`;
  }
  return [...lines, current].flatMap((each) => folded(each));
}

function pieces(text, width, where) {
  if (text.length <= width) return [text];
  const lines = [];
  let current = '';
  for (const piece of text.split(where)) {
    if (current !== '' && current.length + piece.trimEnd().length > width) {
      lines.push(current.trimEnd());
      current = '    ';
    }
    current += piece;
    while (current.length > width + 1) {
      lines.push(current.slice(0, width));
      current = `    ${current.slice(width)}`;
    }
  }
  return [...lines, current.trimEnd()];
}

module.exports = {
  bold,
  escaped,
  example,
  filled,
  folded,
  foldedCommand,
  head,
  italic,
  paragraphs,
  prose,
  request,
  tagged,
};
