import { createInterface } from 'node:readline/promises';
import { CliError } from './errors.js';

export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks on standard error, so that standard output holds the answer alone. No is the default. */
export async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  const lines = createInterface({
    input: process.stdin,
    output: process.stderr,
  });
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    process.stderr.write('\n');
    throw new CliError('ERR_MEMPROBE_INTERRUPTED', 'interrupted: nothing was sent to the process');
  } finally {
    lines.close();
  }
}
