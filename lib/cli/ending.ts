/** The command ends as a program did. */
import { constants } from 'node:os';

/** How a program ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Ends the command as the program ended. Where this process cannot die of the signal, 128 and its number, as shells do. */
export function endLike({ code, signal }: Ending): void {
  process.exitCode = signal === null ? (code ?? 1) : 128 + constants.signals[signal];
  if (signal !== null) process.kill(process.pid, signal);
}
