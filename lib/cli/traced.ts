/** Runs a program under mtrace, into a log that is certainly ours. */
import { constants, lstat, open, rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { mallocDebugEnvironment } from '../malloc_debug.js';
import { Started } from './descendants.js';
import type { Ending } from './ending.js';
import { CliError, describeError } from './errors.js';
import { runProgram } from './run.js';

interface TracedOptions {
  /** Where the program's standard output goes. */
  output?: 'inherit' | number;
  /** The log must not be there yet. */
  fresh?: boolean;
}

/** How it ended, and what to say of programs that it started and that have no log. */
export interface TracedEnding extends Ending {
  readonly note?: string;
}

/** Runs it to its end. No log is left where it could not be started. */
export async function runTraced(
  words: string[],
  log: string,
  { output = 'inherit', fresh = false }: TracedOptions = {},
): Promise<TracedEnding> {
  await prepare(log, fresh);
  const started = new Started();
  try {
    const environment = mallocDebugEnvironment({ trace: log });
    const ending = await runProgram(words, environment, output, (pid) => started.watch(pid));
    const note = started.note(basename(words[0] ?? ''));
    return { ...ending, ...(note !== undefined && { note }) };
  } catch (error) {
    await rm(log);
    throw error;
  } finally {
    started.stop();
  }
}

/** Bytes of the log; throws where the program wrote none. */
export async function expectLog(log: string, [program = '']: readonly string[]): Promise<number> {
  const { size } = await stat(log);
  if (size > 0) return size;
  throw new CliError(
    'ERR_MEMPROBE_NO_LOG',
    `${program} wrote no log: it is statically linked, runs on another C library (musl), is set-user-ID, or was killed at ` +
      'once; `ldd` tells which libraries it has',
  );
}

/** What cut the log short; undefined where nothing did. */
export function cutBy({ signal }: Ending): string | undefined {
  if (signal === null) return undefined;
  return `the program was ended by ${signal}: its last calls are missing, and it had no chance to free anything`;
}

/** Empties the log, so that an old one is not taken for this program's. Never through a symbolic or a hard link. */
async function prepare(log: string, fresh: boolean): Promise<void> {
  const fail = (why: string) =>
    new CliError(
      'ERR_MEMPROBE_TRACE_DIRECTORY',
      `the log ${log} cannot be written: ${why}; give another --output`,
    );
  const there = await lstat(log).catch(() => undefined);
  if (there?.isSymbolicLink()) throw fail('it is a symbolic link');
  if (there && !there.isFile()) throw fail('it is not a regular file');
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const flags = O_WRONLY | O_CREAT | O_NOFOLLOW | (fresh ? O_EXCL : 0);
  const file = await open(log, flags, 0o600).catch((error: unknown) => {
    throw fail(describeError(error));
  });
  try {
    if ((await file.stat()).nlink > 1) throw fail('it has another name too (a hard link)');
    await file.chmod(0o600);
    await file.truncate();
  } finally {
    await file.close();
  }
}
