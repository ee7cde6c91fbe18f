/** What every room logs through; the daemon decides where it goes. */
export type Level = 'debug' | 'info' | 'warning' | 'error';

/**
 * One event, one line. `fields` are facts about it: never parameters of a call, never secrets.
 */
export type Log = (
  level: Level,
  event: string,
  fields?: Record<string, string | number | boolean | null>,
) => void;

export const noLog: Log = () => undefined;
