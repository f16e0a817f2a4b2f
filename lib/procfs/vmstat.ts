/** /proc/vmstat: the memory manager's counters. */
import { type RootOptions, readProcFile, systemFile } from './read.js';
import { mapLines, parseCount } from './text.js';

/** Every counter under its kernel name; nr_… are pages, the others count events since boot. */
export type Vmstat = Record<string, number>;

/** Throws ProcParseError. */
export function parseVmstat(bytes: Uint8Array, file = 'vmstat'): Vmstat {
  const counters = mapLines(bytes, file, "'name number'", (line): [string, number] | undefined => {
    const [, name, digits] = /^(\S+) (\d+)$/.exec(line) ?? [];
    const value = parseCount(digits);
    return name === undefined || value === undefined ? undefined : [name, value];
  });
  return Object.fromEntries(counters);
}

/** @see proc_vmstat(5) */
export async function readVmstat(options: RootOptions = {}): Promise<Vmstat> {
  const file = systemFile('vmstat', options);
  return parseVmstat(await readProcFile(file), file.path);
}
