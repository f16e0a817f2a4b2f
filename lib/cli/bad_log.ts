import { MtraceError } from '../mtrace/errors.js';
import { CliError, describeError } from './errors.js';

/** Why a log could not be read, with its name. */
export function badLog(log: string, error: unknown): CliError {
  if (error instanceof MtraceError) return new CliError(error.code, `${log}: ${error.message}`);
  return new CliError('ERR_MEMPROBE_BAD_FILE', `${log} could not be read: ${describeError(error)}`);
}
