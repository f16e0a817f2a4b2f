import { createInterface } from 'node:readline/promises';
import { CliError } from './errors.js';

export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks on standard error, so that standard output holds the answer alone. No is the default. */
export async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  const ended = new AbortController(); // at the end of input, where a question would wait for ever
  const lines = createInterface({
    input: process.stdin,
    output: process.stderr,
  });
  // In the terminal's raw mode Ctrl-C is a key: make it the signal that it is elsewhere.
  lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  lines.once('close', () => ended.abort());
  try {
    const answer = await lines.question(`${question} [y/N] `, {
      signal: AbortSignal.any([signal, ended.signal]),
    });
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    process.stderr.write('\n');
    throw new CliError('ERR_MEMPROBE_INTERRUPTED', 'interrupted: nothing was sent to the process');
  } finally {
    lines.close();
  }
}
