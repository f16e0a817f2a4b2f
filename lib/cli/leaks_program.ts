/** `memprobe leaks -- node app.js`: runs the program under mtrace, and has its log looked at when it has ended. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endLike } from './ending.js';
import { CliError, describeError } from './errors.js';
import type { LeaksFlags } from './flags.js';
import { expectLog, runTraced, type TracedEnding } from './traced.js';

/** Prints what leaked in a program that ended so. */
type Tell = (log: string, ending: TracedEnding) => Promise<void>;

export async function leaksOfProgram(words: string[], flags: LeaksFlags, tell: Tell): Promise<void> {
  const { output } = flags;
  const directory = output === undefined ? await makeDirectory() : undefined;
  const log = output ?? join(directory ?? '', 'trace.log');
  const ending = await trace(words, log, flags, tell).finally(async () => {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  });
  endLike(ending);
}

async function trace(words: string[], log: string, { json }: LeaksFlags, tell: Tell): Promise<TracedEnding> {
  // With --json our standard output is the JSON's alone.
  const ending = await runTraced(words, log, { output: json ? 2 : 'inherit' });
  try {
    await expectLog(log, words);
    await tell(log, ending);
  } catch (error) {
    // The program matters more than its report: its exit code is the command's, unless it would hide the failure.
    process.stderr.write(`memprobe: ${describeError(error)}\n`);
    return ending.code === 0 ? { ...ending, code: 1 } : ending;
  }
  return ending;
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
