import { InvalidArgumentError } from 'commander';

/** A failure of the command itself, with what to do next. */
export class CliError extends Error {
  constructor(
    readonly code: `ERR_MEMPROBE_${string}`,
    message: string,
  ) {
    super(message);
  }
}

/** One line for people; a stack only for what nobody expected. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error) return error.message;
  return error.stack ?? error.message;
}

/** For commander: a positive whole number. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 2 ** 31 - 1) {
    throw new InvalidArgumentError('It must be a whole number from 1 to 2147483647.');
  }
  return value;
}

/** For commander: seconds, fractions allowed. */
export function parseSeconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 86_400)) {
    throw new InvalidArgumentError('It must be a number of seconds from 0 to 86400.');
  }
  return value;
}
