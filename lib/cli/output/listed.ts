/** How many names a line on stderr has. */
const MOST_NAMED = 20;

/** Names for a line of text, of many the first. */
export function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMED;
  const shown = names.slice(0, MOST_NAMED).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
}
