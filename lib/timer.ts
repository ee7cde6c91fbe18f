/** A longer delay makes setTimeout fire at once. */
export const LONGEST = 2 ** 31 - 1;

/** Calls back after so many milliseconds; never for null, or for more than 24 days. */
export function after(
  milliseconds: number | null,
  callback: () => void,
): NodeJS.Timeout | undefined {
  if (milliseconds === null || milliseconds > LONGEST) return undefined;
  return setTimeout(callback, milliseconds);
}
