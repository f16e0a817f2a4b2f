/** `memprobe leaks -- node app.js`: runs the program under mtrace, and has its log looked at when it has ended. */
import { constants, lstat, mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mallocDebugEnvironment } from '../malloc_debug.js';
import { endLike, type Ending } from './ending.js';
import { CliError, describeError } from './errors.js';
import type { LeaksFlags } from './leaks.js';
import { runProgram } from './run.js';

/** Prints what leaked; `died` says what cut the log short. */
type Tell = (log: string, died?: string) => Promise<void>;

export async function leaksOfProgram(words: string[], flags: LeaksFlags, tell: Tell): Promise<void> {
  const { output } = flags;
  const directory = output === undefined ? await makeDirectory() : undefined;
  const log = output ?? join(directory ?? '', 'trace.log');
  const ending = await trace(words, log, flags, tell).finally(async () => {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  });
  endLike(ending);
}

async function trace(words: string[], log: string, flags: LeaksFlags, tell: Tell): Promise<Ending> {
  await prepare(log);
  const ending = await start(words, log, flags).catch(async (error: unknown) => {
    await rm(log);
    throw error;
  });
  try {
    if ((await stat(log)).size === 0) throw noLog(words[0] ?? '');
    await tell(log, ending.signal === null ? undefined : cutBy(ending.signal));
  } catch (error) {
    // The program matters more than its report: its exit code is the command's, unless it would hide the failure.
    process.stderr.write(`memprobe: ${describeError(error)}\n`);
    return ending.code === 0 ? { ...ending, code: 1 } : ending;
  }
  return ending;
}

async function start(words: string[], log: string, { json = false }: LeaksFlags): Promise<Ending> {
  // With --json our standard output is the JSON's alone.
  return runProgram(words, mallocDebugEnvironment({ trace: log }), json ? 2 : 'inherit');
}

function cutBy(signal: NodeJS.Signals): string {
  return `the program was ended by ${signal}: its last calls are missing, and it had no chance to free anything`;
}

function noLog(program: string): CliError {
  return new CliError(
    'ERR_MEMPROBE_NO_LOG',
    `${program} wrote no log: it is statically linked, runs on another C library (musl), is set-user-ID, or was killed at ` +
      'once; `ldd` tells which libraries it has',
  );
}

async function makeDirectory(): Promise<string> {
  const parent = tmpdir();
  return mkdtemp(join(parent, 'memprobe-')).catch((error: unknown) => {
    throw new CliError(
      'ERR_MEMPROBE_TRACE_DIRECTORY',
      `the log cannot be written in ${parent}: ${describeError(error)}; set TMPDIR to another directory, or give --output`,
    );
  });
}

/** Empties the log, so that an old one is not taken for this program's. Never through a symbolic link. */
async function prepare(log: string): Promise<void> {
  const fail = (why: string) =>
    new CliError(
      'ERR_MEMPROBE_TRACE_DIRECTORY',
      `the log ${log} cannot be written: ${why}; give another --output`,
    );
  const there = await lstat(log).catch(() => undefined);
  if (there?.isSymbolicLink()) throw fail('it is a symbolic link');
  if (there && !there.isFile()) throw fail('it is not a regular file');
  const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants;
  const file = await open(log, O_WRONLY | O_CREAT | O_NOFOLLOW, 0o600).catch((error: unknown) => {
    throw fail(describeError(error));
  });
  try {
    await file.chmod(0o600);
    await file.truncate();
  } finally {
    await file.close();
  }
}
