'use strict';
// A document in Markdown as the sections of a manual page.
const roff = require('./roff.js');

const { bold, escaped, example, folded, foldedCommand, italic, filled, paragraphs } = roff;
const { request, tagged } = roff;

/** Reads Markdown by marked: its tokens, as https://marked.js.org describes them. */
async function sections(text) {
  const { lexer } = await import('marked');
  return lexer(text).flatMap(block);
}

function block(token) {
  switch (token.type) {
    case 'space':
      return [];
    case 'heading':
      return heading(token);
    case 'paragraph':
      return paragraphs([inline(token.tokens)]);
    case 'code':
      return example(token.text.split('\n'), token.lang === 'console' ? foldedConsole : folded);
    case 'table':
      return [...title(token.header), ...token.rows.flatMap(row)];
    case 'list':
      return token.items.flatMap((item) => [
        '.IP \\(bu 3',
        ...item.tokens.flatMap((each) => [filled(inline(each.tokens))]),
      ]);
    default:
      throw new Error(`No manual page can be made of Markdown's ${token.type}: ${token.raw}`);
  }
}

/** The document's title is the page's name, and what is below it the description. */
function heading({ depth, tokens }) {
  if (depth === 1) return [request('SH', 'DESCRIPTION')];
  const title = inline(tokens);
  return [request(depth === 2 ? 'SH' : 'SS', depth === 2 ? title.toUpperCase() : title)];
}

/** Of a table whose terms are values of a member: the member. */
function title([{ tokens }]) {
  const isNamed = tokens.some(({ type }) => type === 'codespan');
  return isNamed ? paragraphs([`${inline(tokens)}:`]) : [];
}

/** Of two columns: a term and its meaning. */
function row([term, ...meanings]) {
  const meaning = meanings.map(({ tokens }) => inline(tokens)).join(' ');
  return tagged(inline(term.tokens), [filled(meaning)]);
}

function inline(tokens) {
  return tokens
    .map(part)
    .join('')
    .replaceAll(/ *\n */g, ' ');
}

function part(token) {
  switch (token.type) {
    case 'text':
    case 'escape':
      return escaped(token.text);
    case 'codespan':
      return bold(token.text);
    case 'strong':
      return `\\fB${inline(token.tokens)}\\fR`;
    case 'em':
      return italic(token.text);
    case 'link':
      return inline(token.tokens);
    default:
      throw new Error(`No manual page can be made of Markdown's ${token.type}: ${token.raw}`);
  }
}

/** What is typed, behind a `$`, and what is printed. */
function foldedConsole(text) {
  return text.startsWith('$ ') ? foldedCommand(text) : folded(text);
}

module.exports = { sections };
