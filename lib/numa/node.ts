/** One node, from the text of its files in /sys/devices/system/node. */
import { ProcParseError } from '../procfs/errors.js';
import { ascending, parseList } from './lists.js';

export interface HugePages {
  /** Bytes in one page. */
  size: number;
  /** Pages; reserved at boot or later, and surplus ones. */
  total: number;
  free: number;
  /** Pages beyond the reserved ones, which go when they are freed. */
  surplus: number;
}

export interface NumaNode {
  id: number;
  /** Online ones, ascending; none for a node that is memory alone. */
  cpus: number[];
  /** Bytes; both 0 for a node that is CPUs alone. */
  memory: { total: number; free: number };
  /** To each node by its number: 10 is itself, 20 twice as far. */
  distances: Map<number, number>;
  /** By size, ascending. */
  hugePages: HugePages[];
}

/** As sysfs has them. */
export interface NodeFiles {
  cpulist: string;
  distance: string;
  meminfo: string;
  hugepages: { size: string; total: string; free: string; surplus: string }[];
}

/** `online` are the nodes that `distance` counts up. Throws ProcParseError, with files below `path`. */
export function parseNode(id: number, files: NodeFiles, online: readonly number[], path: string): NumaNode {
  const cpus = parseList(files.cpulist);
  if (cpus === undefined)
    throw new ProcParseError(`${path}/cpulist`, 1, files.cpulist, "a list such as '0-3,8'");
  return {
    id,
    cpus,
    memory: { total: field(files, 'MemTotal', path), free: field(files, 'MemFree', path) },
    distances: parseDistances(files.distance, online, `${path}/distance`),
    hugePages: parseHugePages(files.hugepages, `${path}/hugepages`),
  };
}

/** 'Node 0 MemTotal:       16476376 kB' */
function field({ meminfo }: NodeFiles, name: string, path: string): number {
  const kib = new RegExp(`^Node \\d+ ${name}: +(\\d+) kB$`, 'm').exec(meminfo)?.[1];
  if (kib === undefined)
    throw new ProcParseError(`${path}/meminfo`, 1, meminfo, `a line 'Node N ${name}: N kB'`);
  return Number(kib) * 1024;
}

/** One number for each node that is online, in their order. */
function parseDistances(text: string, online: readonly number[], file: string): Map<number, number> {
  const numbers = text.split(/\s+/).filter(Boolean).map(Number);
  if (numbers.length !== online.length || numbers.some((distance) => !Number.isInteger(distance))) {
    throw new ProcParseError(file, 1, text, `a number for each of ${online.length} nodes`);
  }
  return new Map(online.map((node, index) => [node, numbers[index] ?? 0]));
}

function parseHugePages(sizes: NodeFiles['hugepages'], path: string): HugePages[] {
  const bySize = new Map(
    sizes.map(({ size, total, free, surplus }) => {
      const kib = /^hugepages-(\d+)kB$/.exec(size)?.[1];
      if (kib === undefined) throw new ProcParseError(path, 1, size, "'hugepages-NkB'");
      const bytes = Number(kib) * 1024;
      return [bytes, { size: bytes, total: Number(total), free: Number(free), surplus: Number(surplus) }];
    }),
  );
  return ascending(bySize.keys()).flatMap((size) => bySize.get(size) ?? []);
}
