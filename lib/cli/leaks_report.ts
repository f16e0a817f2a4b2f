/** The second half of `memprobe leaks`: what a log that is being read says. */
import { stat } from 'node:fs/promises';
import { findLeaks, type LeakReport, renderLeaks, type Trace } from '../mtrace/index.js';
import { isNode } from '../mtrace/leaks.js';
import { Symbolizer } from '../mtrace/symbolize.js';
import { BROKEN_OFF } from '../mtrace/trace.js';
import { badLog } from './bad_log.js';
import type { LeaksFlags } from './flags.js';
import { type Progress, screen } from './screen.js';
import { cutBy, type TracedEnding } from './traced.js';

interface Circumstances {
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Of a program that was run for this; undefined for a log that was there. */
  readonly ending: TracedEnding | undefined;
}

/** Prints what leaked, with names. */
export class LeaksReport {
  readonly #flags: LeaksFlags;
  readonly #circumstances: Circumstances;
  readonly #symbolizer: Symbolizer;

  constructor(flags: LeaksFlags, circumstances: Circumstances) {
    const { program } = flags;
    const { signal } = circumstances;
    this.#flags = flags;
    this.#circumstances = circumstances;
    this.#symbolizer = new Symbolizer({ signal, ...(program !== undefined && { program }) });
  }

  /** Says which call sites the log has: their names are looked for while it is read. */
  expect(sites: readonly string[]): void {
    this.#symbolizer.expect(sites);
  }

  async tell(log: string, reading: Promise<Trace>): Promise<void> {
    try {
      const trace = await reading.catch((error: unknown) => {
        throw badLog(log, error);
      });
      const report = await this.#named(log, trace);
      this.#circumstances.progress.done();
      const { ending } = this.#circumstances;
      print(ending === undefined ? report : witnessed(report, ending), this.#flags);
    } finally {
      this.#symbolizer.close();
    }
  }

  async #named(log: string, trace: Trace): Promise<LeakReport> {
    const { json, verbose, top } = this.#flags;
    const { signal, progress } = this.#circumstances;
    return this.#symbolizer.symbolize(findLeaks(trace), {
      signal,
      written: (await stat(log)).mtime,
      // What nobody sees needs no name.
      ...(!json && { top: top ?? (verbose ? Infinity : 24) }),
      progress: (object) => progress.step(`looking for names in ${object}`),
    });
  }
}

/** With what was seen of the program, which the log can't tell. */
function witnessed(report: LeakReport, ending: TracedEnding): LeakReport {
  const died = cutBy(ending);
  const reasons = report.reasons.flatMap((reason) =>
    reason !== BROKEN_OFF ? [reason] : died ? [] : [EXITED],
  );
  const notes = ending.note === undefined ? report.notes : [ending.note, ...report.notes];
  if (died !== undefined) return { ...report, partial: true, reasons: [died, ...reasons], notes };
  return { ...report, reasons, notes: report.objects.some(isNode) ? [...notes, TIDY] : notes };
}

const EXITED = 'the program ended without running exit handlers (_exit): the last calls are not in the log';
const TIDY =
  'Node frees what JavaScript still holds when it exits; end it with Ctrl-C or SIGKILL to see live Buffers';

function print(report: LeakReport, { json, verbose = false, top }: LeaksFlags): void {
  const hexadecimal = (_: string, value: unknown) =>
    typeof value === 'bigint' ? `0x${value.toString(16)}` : value;
  const options = { ...screen(), verbose, ...(top !== undefined && { top }) };
  const text = json ? `${JSON.stringify(report, hexadecimal, 2)}\n` : renderLeaks(report, options);
  process.stdout.write(text);
}
