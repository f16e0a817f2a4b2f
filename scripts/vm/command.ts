/** Running the programs that build and boot the machine. */
import { spawnSync } from 'node:child_process';

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Its end is not asked for, only its output: xz complains of what follows the kernel's payload. */
  readonly anyStatus?: boolean;
}

const LARGEST_OUTPUT = 1 << 30;

/** On standard error, so that the reports of a test run stay as they are. */
export const say = (text: string): void => console.error(`numa machine: ${text}`);

/** What the program prints. Throws, with what it said on standard error, when it can't be run or fails. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Buffer {
  const { anyStatus = false, ...rest } = options;
  const { error, status, signal, stdout, stderr } = spawnSync(command, args, {
    ...rest,
    maxBuffer: LARGEST_OUTPUT,
  });
  if (error !== undefined) throw error;
  if (status !== 0 && !anyStatus) {
    throw new Error(`${[command, ...args].join(' ')} ended with ${status ?? signal}: ${stderr}`);
  }
  return stdout;
}

export const lines = (text: string | Uint8Array): string[] => String(text).split('\n').filter(Boolean);

export const has = (command: string): boolean =>
  spawnSync('sh', ['-c', 'command -v "$1"', 'sh', command]).status === 0;
