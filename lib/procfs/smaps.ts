/** /proc/PID/smaps: the mappings of a process with their sizes. */
import { native } from '../native.js';
import { exitedMeanwhile, explainFailure, type ProcFile, ProcParseError } from './errors.js';
import { unescapePath } from './maps.js';
import { type ProcessOptions, processFile, readWalkedFile } from './read.js';
import { parseSmaps, SMAPS_FORM } from './smaps_parse.js';
import { Smaps } from './smaps_table.js';

export { parseSmaps } from './smaps_parse.js';
export { Smaps, type SmapsColumns, type SmapsRow, type TextColumn } from './smaps_table.js';

/**
 * The mappings of a process with their sizes. A kernel thread and a zombie have none. The native reader parses while
 * the kernel writes, on the thread pool: it takes little longer than the kernel needs to write the file. Rejects with
 * ESRCH when there is no such process or it exits half-way, with EACCES when it belongs to someone else. With `root`,
 * which may hold captured files, the TypeScript parser is used. @see proc_pid_smaps(5)
 */
export async function readSmaps(options: ProcessOptions = {}): Promise<Smaps> {
  const file = processFile('smaps', options);
  if (options.root !== undefined) return parseSmaps(await readWalkedFile(file), file.path);
  return readNatively(file);
}

async function readNatively(file: ProcFile): Promise<Smaps> {
  const columns = await native.promises.read_smaps(file.path).catch(async (error: unknown) => {
    throw await explainFailure(error, file);
  });
  if (columns.badLine > 0) throw new ProcParseError(file.path, columns.badLine, columns.badText, SMAPS_FORM);
  if (columns.truncated) throw exitedMeanwhile(file);
  return new Smaps({ ...columns, paths: columns.paths.map(unescapePath) });
}
