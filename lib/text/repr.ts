/** Strings as Python shows them. */

/**
 * Text as Python's `repr` writes a string. "Printable" is judged by this Node's Unicode tables, so
 * characters newer than a Python's own tables may come out as themselves where it escapes them.
 */
export function repr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inside = text.replace(/[\\'"]|[^ -~]/gu, (char) => {
    if (char === '\\' || char === quote) return '\\' + char;
    if (char === "'" || char === '"') return char;
    return NAMED[char] ?? (/[\p{C}\p{Z}]/u.test(char) ? escaped(char) : char);
  });
  return quote + inside + quote;
}

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code < 0x100) return '\\x' + hex.padStart(2, '0');
  return code < 0x10000 ? '\\u' + hex.padStart(4, '0') : '\\U' + hex.padStart(8, '0');
}
