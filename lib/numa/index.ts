/// <reference types="node" preserve="true" />
/** NUMA as an application sees it: the machine's nodes, this thread's policy, and where a process's memory lies. */
export { formatList, parseList } from './lists.js';
export type { HugePages, NodeFiles, NumaNode } from './node.js';
export { parseNode } from './node.js';
export { allowedNodes, formatPolicy, type MemoryPolicy, policy } from './policy.js';
export {
  KINDS,
  type MemoryByKind,
  type MemoryKind,
  type NodeMemory,
  type ProcessMemory,
  processMemory,
  sumUp,
} from './process_memory.js';
export { parseSelection, type Selection } from './selection.js';
export { type NumaTopology, topology, type TopologyOptions } from './topology.js';
