/** Where a process's memory lies, by node and kind. */
import { type NumaMapping, readNumaMaps } from '../procfs/numa_maps.js';
import type { ProcessOptions } from '../procfs/read.js';
import { ascending } from './lists.js';

/** numastat's, whose "Private" is anonymous and files here. */
export const KINDS = ['heap', 'stack', 'huge', 'anonymous', 'files'] as const;
export type MemoryKind = (typeof KINDS)[number];

/** Resident bytes by kind, and their sum. */
export type MemoryByKind = Record<MemoryKind | 'total', number>;

export interface NodeMemory extends MemoryByKind {
  node: number;
}

export interface ProcessMemory {
  /** The nodes that hold some of it, ascending. */
  nodes: NodeMemory[];
  total: MemoryByKind;
  /** By the policy in force, as the kernel writes it, the largest first: a mapping's own, or else the main thread's. */
  policies: { policy: string; bytes: number }[];
}

/**
 * From one read of /proc/PID/numa_maps. Memory that several processes share counts in each of them. Rejects with ESRCH,
 * EACCES, or ENOENT where the kernel has no NUMA.
 */
export async function processMemory(options: ProcessOptions = {}): Promise<ProcessMemory> {
  return sumUp(await readNumaMaps(options));
}

export function sumUp(mappings: readonly NumaMapping[]): ProcessMemory {
  const byNode = new Map<number, NodeMemory>();
  const byPolicy = new Map<string, number>();
  const total = nothing();
  for (const mapping of mappings) {
    const kind = kindOf(mapping);
    for (const [node, bytes] of mapping.nodes) {
      const entry = byNode.get(node) ?? { node, ...nothing() };
      byNode.set(node, entry);
      add(entry, kind, bytes);
      add(total, kind, bytes);
      byPolicy.set(mapping.policy, (byPolicy.get(mapping.policy) ?? 0) + bytes);
    }
  }
  const nodes = ascending(byNode.keys()).flatMap((node) => byNode.get(node) ?? []);
  const policies = [...byPolicy].map(([policy, bytes]) => ({ policy, bytes }));
  return { nodes, total, policies: policies.sort((a, b) => b.bytes - a.bytes) };
}

function kindOf({ huge, heap, stack, path }: NumaMapping): MemoryKind {
  if (huge) return 'huge';
  if (heap) return 'heap';
  if (stack) return 'stack';
  return path === undefined ? 'anonymous' : 'files';
}

function nothing(): MemoryByKind {
  return { heap: 0, stack: 0, huge: 0, anonymous: 0, files: 0, total: 0 };
}

function add(to: MemoryByKind, kind: MemoryKind, bytes: number): void {
  to[kind] += bytes;
  to.total += bytes;
}
