/** The addon's reader of logs in plain files: it gives the same answers as parser.ts. */
import type { FileHandle } from 'node:fs/promises';
import { native } from '../native.js';
import type { Promises } from '../native.generated.js';
import { emptyLog } from './errors.js';
import { Leftover } from './leftover.js';
import {
  collectOddities,
  expectLog,
  INTERRUPTED,
  ODDITIES_KEPT,
  type Oddity,
  type ParseOptions,
  PATIENCE,
  stoppedBy,
  type Trace,
  traceOf,
} from './trace.js';

/** So many bytes at a time take some 20 ms; between them it can be interrupted. */
const STEP = 1 << 23;

/** What has been read so far, with what is new since the last time. */
type Progress = Awaited<ReturnType<Promises['mtrace_log_read']>>;

/** Reads the file to its end, `step` bytes at a time; `head` is its beginning. Throws as parseMtrace does. */
export async function readNatively(
  file: FileHandle,
  head: Uint8Array,
  options: ParseOptions,
  step = STEP,
): Promise<Trace> {
  const log = native.libc.mtrace_log(options.onOddity ? Number.MAX_SAFE_INTEGER : ODDITIES_KEPT);
  const { oddities, tell } = collectOddities(options);
  const sites: string[] = [];
  const read: Read = async (length) => {
    const progress = await native.promises.mtrace_log_read(log, file.fd, length);
    for (const site of progress.sites) sites.push(site);
    const named = progress.sites.filter((site) => site !== '');
    if (named.length > 0) options.onSites?.(named);
    for (const { operation, site, ...rest } of progress.oddities)
      tell({ ...whatHappened(operation), ...rest, site: sites[site] ?? '' });
    return progress;
  };
  const [counts, stopped] = await readAll(read, head, options, step);
  const live = new Leftover(await native.promises.mtrace_log_blocks(log), sites);
  return traceOf(counts, live, oddities, stopped);
}

type Read = (length: number) => Promise<Progress>;

/** What was counted, and why reading stopped before the end; undefined where it did not. */
async function readAll(
  read: Read,
  head: Uint8Array,
  { signal, progress }: ParseOptions,
  step: number,
): Promise<[Progress, stopped?: string]> {
  let counts = await read(0);
  while (!counts.atEnd && !signal?.aborted) {
    // Looked at after exactly as many bytes, whatever the steps are.
    const patience = PATIENCE - counts.bytes;
    try {
      counts = await read(patience > 0 ? Math.min(step, patience) : step);
    } catch (error) {
      counts = await read(0);
      if (counts.bytes === 0) throw error;
      return [counts, stoppedBy(error)];
    }
    if (counts.bytes === PATIENCE) expectLog(counts, head);
    progress?.(counts.bytes, counts.lines);
  }
  if (counts.bytes > 0) expectLog(counts, head);
  else if (counts.atEnd) throw emptyLog();
  return counts.atEnd ? [counts] : [counts, INTERRUPTED];
}

function whatHappened(operation: string): Pick<Oddity, 'kind' | 'call'> {
  if (operation === '-') return { kind: 'unknown-free', call: 'free' };
  if (operation === '<') return { kind: 'unknown-free', call: 'realloc' };
  return { kind: 'duplicate', call: operation === '+' ? 'malloc' : 'realloc' };
}
