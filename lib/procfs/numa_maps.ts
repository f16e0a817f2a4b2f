/** /proc/PID/numa_maps: each mapping's memory policy, and on which nodes its pages lie. */
import { type ProcessOptions, processFile, readWalkedFile } from './read.js';
import { mapLines, parseCount, unescapeOctal } from './text.js';

export interface NumaMapping {
  start: bigint;
  /** As the kernel writes it: 'default', 'bind:0-1', 'prefer (many):0', 'interleave=static:0,2'. */
  policy: string;
  /** The file behind the mapping; the rules of Mapping.path hold. */
  path?: string;
  heap: boolean;
  stack: boolean;
  /** The mapping is made of huge pages (hugetlbfs). */
  huge: boolean;
  /** In bytes; absent, like the following, when no page is present. */
  pageSize?: number;
  /** Bytes by node. */
  nodes: Map<number, number>;
  /** Bytes of anonymous memory. */
  anon?: number;
  dirty?: number;
  mapped?: number;
  /** How many mappings share the most shared page (a count). */
  mapmax?: number;
  swapcache?: number;
  active?: number;
  writeback?: number;
  /** What this list does not have: under its kernel name, as the kernel's number. */
  [kernelName: string]: bigint | string | boolean | number | Map<number, number> | undefined;
}

/** Policies have spaces in them ('weighted interleave:0-1', 'prefer (many):0'), so the first attribute ends them. */
const LINE = /^([0-9a-f]{1,16}) (.+?)((?: (?:file=\S*|heap|stack|huge|\w+=\d+))*)$/;
const FORM = "'address policy [file=path] [key=number]…'";
const IN_PAGES = new Set(['anon', 'dirty', 'mapped', 'swapcache', 'active', 'writeback']);

/** Throws ProcParseError. */
export function parseNumaMaps(bytes: Uint8Array, file = 'numa_maps'): NumaMapping[] {
  return mapLines(bytes, file, FORM, parseLine);
}

/**
 * Needs a kernel with CONFIG_NUMA. Rejects with ESRCH when there is no such process or it exits half-way, with EACCES
 * when it belongs to someone else. @see numa(7)
 */
export async function readNumaMaps(options: ProcessOptions = {}): Promise<NumaMapping[]> {
  const file = processFile('numa_maps', options);
  return parseNumaMaps(await readWalkedFile(file), file.path);
}

function parseLine(line: string): NumaMapping | undefined {
  const match = LINE.exec(line);
  if (match === null) return undefined;
  const [, start = '', policy = '', rest = ''] = match;
  const words = rest.split(' ').filter(Boolean);
  const numbers = numbersOf(words);
  const pageKib = numbers.get('kernelpagesize_kB');
  const mapping: NumaMapping = {
    start: BigInt(`0x${start}`),
    policy,
    heap: words.includes('heap'),
    stack: words.includes('stack'),
    huge: words.includes('huge'),
    nodes: new Map(),
  };
  const path = words.find((word) => word.startsWith('file='));
  if (path !== undefined) mapping.path = unescapeOctal(path.slice('file='.length), '\n\t= ');
  if (pageKib !== undefined) mapping.pageSize = pageKib * 1024;
  for (const [name, value] of numbers) putNumber(mapping, name, value, (pageKib ?? 0) * 1024);
  return mapping;
}

function numbersOf(words: string[]): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const word of words) {
    const [name = '', digits] = word.split('=');
    const value = name === 'file' ? undefined : parseCount(digits);
    if (value !== undefined) numbers.set(name, value);
  }
  return numbers;
}

function putNumber(mapping: NumaMapping, name: string, value: number, pageSize: number): void {
  const node = /^N(\d+)$/.exec(name);
  if (node !== null) mapping.nodes.set(Number(node[1]), value * pageSize);
  else if (IN_PAGES.has(name)) mapping[name] = value * pageSize;
  else if (name !== 'kernelpagesize_kB' && !(name in mapping)) mapping[name] = value;
}
