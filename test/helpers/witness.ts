/** What the kernel says of this process, read from /proc: the second witness of most tests. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
  readonly perms: string;
  readonly offset: number;
  readonly path: string;
}

export function mappings(): Mapping[] {
  return readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, start = '', end = '', perms = '', offset = '', path = ''] =
        /^(\w+)-(\w+) (\S+) (\S+) \S+ \S+ *(.*)$/.exec(line) ?? [];
      return {
        start: BigInt(`0x${start}`),
        end: BigInt(`0x${end}`),
        perms,
        offset: Number.parseInt(offset, 16),
        path,
      };
    });
}

export function mappingAt(addr: bigint): Mapping | undefined {
  return mappings().find(({ start, end }) => start <= addr && addr < end);
}

/** How many descriptors of this process are of this file; of all of them some come and go with other threads. */
export function descriptors(path: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => fileOf(fd) === path).length;
}

function fileOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined; // closed meanwhile
  }
}

/** A number of /proc/self/status, in kB. */
export function status(field: string): number {
  return Number(
    new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'latin1'))?.[1],
  );
}

/** The entry of /proc/self/smaps for the mapping that holds `addr`, field by field. */
export function smaps(addr: bigint): Record<string, string> {
  const fields: Record<string, string> = {};
  let inside = false;
  for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line);
    if (head) inside = BigInt(`0x${head[1]}`) <= addr && addr < BigInt(`0x${head[2]}`);
    else if (inside) fields[line.slice(0, line.indexOf(':'))] = line.slice(line.indexOf(':') + 1).trim();
  }
  return fields;
}

/** Resident bytes, from statm. */
export function rss(): number {
  return Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[1]) * 4096;
}

/** The first executable mapping of the C library: memory that nobody may touch. */
export function libcText(): Mapping {
  const found = mappings().find(({ perms, path }) => perms.startsWith('r-x') && /\/libc[.-]/.test(path));
  if (found === undefined) throw new Error('no text of the C library in /proc/self/maps');
  return found;
}
