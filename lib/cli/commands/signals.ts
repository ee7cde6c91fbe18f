/** The signals that end a command. */
import { NOHUP } from '../../login/variables.js';

/** Those that a command takes to end in order, with what it has kept. Under `nohup` SIGHUP does not end it. */
export function endingSignals(): readonly NodeJS.Signals[] {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  return process.env[NOHUP] ? signals : [...signals, 'SIGHUP'];
}
