/** What was said on the command line of `memprobe numa run`, and what is wrong with it. */
import type { Command } from 'commander';
import { parseSelection } from '../numa/index.js';

export function usage(command: Command, message: string): never {
  command.error(`error: ${message}`, { exitCode: 2 });
}

/** What an option's list names. */
export function selected(
  command: Command,
  flag: string,
  text: string,
  allowed: readonly number[],
  nouns: string,
): number[] {
  const selection = parseSelection(text, allowed, nouns);
  if ('numbers' in selection) return selection.numbers;
  return usage(command, `option '${flag}' argument '${text}' is invalid. ${selection.problem}`);
}
