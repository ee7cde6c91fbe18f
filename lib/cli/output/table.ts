/** Text in columns, as wide as a terminal shows it. */
import stringWidth from 'string-width';

/** Columns two blanks apart, the last as wide as it is. Lines are cut where they would be wider than `most`. */
export function aligned(rows: readonly (readonly string[])[], most = Infinity): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, stringWidth(cell))));
  }
  return rows.map((row) => {
    const padded = row.map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - stringWidth(cell)));
    return cut(padded.join('  ').trimEnd(), most);
  });
}

/** What a terminal shows as one character may be several, and two columns wide. */
const CHARACTERS = new Intl.Segmenter();

function cut(line: string, most: number): string {
  if (line.length <= most / 2 || stringWidth(line) <= most) return line;
  let kept = '';
  let width = 1; // the ellipsis
  for (const { segment } of CHARACTERS.segment(line)) {
    width += stringWidth(segment);
    if (width > most) break;
    kept += segment;
  }
  return `${kept.trimEnd()}…`;
}

/** `01:02:03`, and the days before it. */
export function duration(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const clock = new Date((seconds % 86_400) * 1000).toISOString().slice(11, 19);
  return days > 0 ? `${days}d ${clock}` : clock;
}
