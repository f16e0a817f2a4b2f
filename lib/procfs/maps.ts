/** /proc/PID/maps: the mappings of a process. */
import { type ProcessOptions, processFile, readWalkedFile } from './read.js';
import { mapLines, unescapeOctal } from './text.js';

/** One virtual memory area. @see proc_pid_maps(5) */
export interface Mapping {
  start: bigint;
  /** The first address behind the mapping. */
  end: bigint;
  /** 'rw-p': read, write, execute, then p(rivate) or s(hared). */
  perms: string;
  /** Where in the file the mapping begins, in bytes. */
  offset: bigint;
  /** The file's device, 'major:minor' in hex as the kernel writes it; '00:00' without a file. */
  dev: string;
  inode: bigint;
  /**
   * The file, or a name in brackets ('[heap]', '[anon:name]'), or ''. A deleted file keeps the kernel's ' (deleted)'
   * behind its name. The kernel writes a newline in a name as \012 and leaves backslashes alone: a file that really
   * has \012 in its name can't be told from one with a newline.
   */
  path: string;
  /** The kernel says that the file has been deleted. */
  deleted: boolean;
}

/** What a mapping's line looks like, for error messages. */
export const MAPPING_FORM = "'start-end perms offset major:minor inode [path]'";

const LINE =
  /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) ([r-][w-][x-][ps]) ([0-9a-f]{1,16}) ([0-9a-f]{1,3}:[0-9a-f]{1,5}) (\d+)(?: +(.*))?$/s;
const MAX_INODE = 2n ** 64n - 1n;

/** The kernel's text as mappings, in ascending order of address. Throws ProcParseError. */
export function parseMaps(bytes: Uint8Array, file = 'maps'): Mapping[] {
  return mapLines(bytes, file, MAPPING_FORM, parseMapping);
}

/** One line of maps, or of smaps where a mapping begins; undefined when it is neither. */
export function parseMapping(line: string): Mapping | undefined {
  const match = LINE.exec(line);
  if (match === null) return undefined;
  const [, start = '', end = '', perms = '', offset = '', dev = '', digits = '', name = ''] = match;
  const inode = BigInt(digits);
  if (inode > MAX_INODE) return undefined;
  const path = unescapePath(name);
  return {
    start: BigInt(`0x${start}`),
    end: BigInt(`0x${end}`),
    perms,
    offset: BigInt(`0x${offset}`),
    dev,
    inode,
    path,
    deleted: isDeleted(path),
  };
}

/** maps and smaps escape newlines and nothing else. */
export function unescapePath(name: string): string {
  return unescapeOctal(name, '\n');
}

export function isDeleted(path: string): boolean {
  return path.endsWith(' (deleted)');
}

/**
 * The mappings of a process. A kernel thread and a zombie have none. Rejects with ESRCH when there is no such process
 * or it exits half-way, with EACCES when it belongs to someone else. @see proc_pid_maps(5)
 */
export async function readMaps(options: ProcessOptions = {}): Promise<Mapping[]> {
  const file = processFile('maps', options);
  return parseMaps(await readWalkedFile(file), file.path);
}
