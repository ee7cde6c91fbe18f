/** Strings and floats as Python shows them. */

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

/** A float as Python's `repr` writes it: the same shortest digits, other rules for the exponent. */
export function float(number: number): string {
  if (!Number.isFinite(number)) return number < 0 ? '-inf' : 'inf';
  if (Object.is(number, -0)) return '-0.0';
  const [mantissa = '', power = ''] = number.toExponential().split('e');
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const text = String(number); // JavaScript writes these without an exponent, too
  return text.includes('.') ? text : `${text}.0`;
}
