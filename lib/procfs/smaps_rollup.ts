/** /proc/PID/smaps_rollup: the sums of smaps, which the kernel makes much faster than anyone adds them up. */
import { ProcParseError } from './errors.js';
import { type ProcessOptions, processFile, readProcFile } from './read.js';
import { parseSmaps } from './smaps_parse.js';
import type { SmapsRow } from './smaps_table.js';

/** One row whose `path` is '[rollup]' and whose fields, in bytes, are the sums over all mappings. Throws ProcParseError. */
export function parseSmapsRollup(bytes: Uint8Array, file = 'smaps_rollup'): SmapsRow {
  const row = parseSmaps(bytes, file).at(0);
  if (row === undefined) throw new ProcParseError(file, 1, '', "'start-end ---p 00000000 00:00 0 [rollup]'");
  return row;
}

/**
 * The sums of smaps over a whole process. Linux 4.14. Rejects with ESRCH when there is no such process, or it has no
 * memory of its own (a kernel thread, a zombie), with EACCES when it belongs to someone else.
 * @see proc_pid_smaps(5)
 */
export async function readSmapsRollup(options: ProcessOptions = {}): Promise<SmapsRow> {
  const file = processFile('smaps_rollup', options);
  return parseSmapsRollup(await readProcFile(file), file.path);
}
