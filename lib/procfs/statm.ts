/** /proc/PID/statm: a process's memory in seven numbers, the cheapest figures that there are. */
import { native } from '../native.js';
import { ProcParseError } from './errors.js';
import { type ProcessOptions, processFile, readProcFile } from './read.js';
import { parseCount, toLines } from './text.js';

/** In bytes. */
export interface Statm {
  /** Virtual memory, as VmSize. */
  size: number;
  /** Resident memory, as VmRSS. The kernel may lag by some pages a thread: smaps_rollup is exact. */
  resident: number;
  /** The resident part that is file-backed or shared. */
  shared: number;
  /** Code of the program. */
  text: number;
  /** Private writable memory and stack. */
  data: number;
}

/** `pageSize` in bytes: the kernel counts pages. Throws ProcParseError. */
export function parseStatm(bytes: Uint8Array, pageSize: number, file = 'statm'): Statm {
  const [line = ''] = toLines(bytes);
  const pages = line.split(' ').map(parseCount);
  const [size, resident, shared, text, , data] = pages;
  if (
    size === undefined ||
    resident === undefined ||
    shared === undefined ||
    text === undefined ||
    data === undefined
  ) {
    throw new ProcParseError(file, 1, line, 'seven numbers');
  }
  const inBytes = (count: number) => count * pageSize;
  return {
    size: inBytes(size),
    resident: inBytes(resident),
    shared: inBytes(shared),
    text: inBytes(text),
    data: inBytes(data),
  };
}

/** All zero for a kernel thread and a zombie. Rejects with ESRCH when there is no such process. @see proc_pid_statm(5) */
export async function readStatm(options: ProcessOptions = {}): Promise<Statm> {
  const file = processFile('statm', options);
  return parseStatm(await readProcFile(file), native.libc.getpagesize(), file.path);
}
