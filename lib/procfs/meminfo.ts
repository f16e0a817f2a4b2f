/** /proc/meminfo: the machine's memory. */
import { type RootOptions, readProcFile, systemFile } from './read.js';
import { mapLines, parseAmount, splitField } from './text.js';

/** Every field under its kernel name, in bytes; HugePages_… are counts. What this kernel does not have is absent. */
export interface Meminfo {
  MemTotal?: number;
  MemFree?: number;
  /** What new programs can get without swapping. */
  MemAvailable?: number;
  Buffers?: number;
  Cached?: number;
  SwapTotal?: number;
  SwapFree?: number;
  AnonPages?: number;
  Mapped?: number;
  Shmem?: number;
  Slab?: number;
  AnonHugePages?: number;
  HugePages_Total?: number;
  HugePages_Free?: number;
  Hugepagesize?: number;
  [kernelName: string]: number | undefined;
}

/** Throws ProcParseError. */
export function parseMeminfo(bytes: Uint8Array, file = 'meminfo'): Meminfo {
  const fields = mapLines(bytes, file, "'Name: number [kB]'", (line): [string, number] | undefined => {
    const [name, text = ''] = splitField(line) ?? [];
    const value = parseAmount(text);
    return name === undefined || value === undefined ? undefined : [name, value];
  });
  return Object.fromEntries(fields);
}

/** @see proc_meminfo(5) */
export async function readMeminfo(options: RootOptions = {}): Promise<Meminfo> {
  const file = systemFile('meminfo', options);
  return parseMeminfo(await readProcFile(file), file.path);
}
