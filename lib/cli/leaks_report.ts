/** The second half of `memprobe leaks`: what a log that is being read says. */
import { stat } from 'node:fs/promises';
import { MtraceError } from '../mtrace/errors.js';
import { findLeaks, type LeakReport, renderLeaks, symbolize, type Trace } from '../mtrace/index.js';
import { CliError, describeError } from './errors.js';
import type { LeaksFlags } from './leaks.js';
import { type Progress, screen } from './screen.js';

interface Circumstances {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** What cut the log short. */
  readonly died: string | undefined;
}

/** Prints what leaked, with names. */
export async function reportLeaks(
  log: string,
  reading: Promise<Trace>,
  flags: LeaksFlags,
  { signal, progress, died }: Circumstances,
): Promise<void> {
  const trace = await reading.catch((error: unknown) => {
    throw badLog(log, error);
  });
  const report = await named(log, trace, flags, signal, progress);
  progress.done();
  print(
    died === undefined ? report : { ...report, partial: true, reasons: [died, ...report.reasons] },
    flags,
  );
}

async function named(
  log: string,
  trace: Trace,
  { program, json, verbose, top }: LeaksFlags,
  signal: AbortSignal,
  progress: Progress,
): Promise<LeakReport> {
  const written = (await stat(log)).mtime;
  return symbolize(findLeaks(trace), {
    signal,
    written,
    ...(program !== undefined && { program }),
    // What nobody sees needs no name.
    ...(!json && { top: top ?? (verbose ? Infinity : 24) }),
    progress: (object) => progress.step(`looking for names in ${object}`),
  });
}

function badLog(log: string, error: unknown): CliError {
  if (error instanceof MtraceError) return new CliError(error.code, `${log}: ${error.message}`);
  return new CliError('ERR_MEMPROBE_BAD_FILE', `${log} could not be read: ${describeError(error)}`);
}

function print(report: LeakReport, { json, verbose = false, top }: LeaksFlags): void {
  const hexadecimal = (_: string, value: unknown) =>
    typeof value === 'bigint' ? `0x${value.toString(16)}` : value;
  const options = { ...screen(), verbose, ...(top !== undefined && { top }) };
  const text = json ? `${JSON.stringify(report, hexadecimal, 2)}\n` : renderLeaks(report, options);
  process.stdout.write(text);
}
