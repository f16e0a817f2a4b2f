/** Memory policies in words: as /proc/PID/numa_maps writes them, and what they mean. */
import {
  get_mempolicy,
  MPOL_BIND,
  MPOL_DEFAULT,
  MPOL_F_MEMS_ALLOWED,
  MPOL_F_NUMA_BALANCING,
  MPOL_F_RELATIVE_NODES,
  MPOL_F_STATIC_NODES,
  MPOL_INTERLEAVE,
  MPOL_LOCAL,
  MPOL_PREFERRED,
  MPOL_PREFERRED_MANY,
  MPOL_WEIGHTED_INTERLEAVE,
} from '../libc/mempolicy.js';
import { formatList } from './lists.js';

/** A thread's policy, or a mapping's. */
export interface MemoryPolicy {
  /** 'default', 'bind', 'interleave' …: the kernel's word. */
  mode: string;
  /** 'static', 'relative', 'balancing'. */
  flags: string[];
  nodes: number[];
}

const MODES: readonly (readonly [number, string])[] = [
  [MPOL_DEFAULT, 'default'],
  [MPOL_PREFERRED, 'prefer'],
  [MPOL_BIND, 'bind'],
  [MPOL_INTERLEAVE, 'interleave'],
  [MPOL_LOCAL, 'local'],
  [MPOL_PREFERRED_MANY, 'prefer (many)'],
  [MPOL_WEIGHTED_INTERLEAVE, 'weighted interleave'],
];

const FLAGS: readonly (readonly [number, string])[] = [
  [MPOL_F_STATIC_NODES, 'static'],
  [MPOL_F_RELATIVE_NODES, 'relative'],
  [MPOL_F_NUMA_BALANCING, 'balancing'],
];

/** The policy of the calling thread. Throws as get_mempolicy does. */
export function policy(): MemoryPolicy {
  const { mode, nodes } = get_mempolicy();
  const flags = FLAGS.filter(([flag]) => (mode & flag) !== 0);
  const plain = flags.reduce((rest, [flag]) => rest & ~flag, mode);
  const name = MODES.find(([number]) => number === plain)?.[1] ?? `mode ${plain}`;
  return { mode: name, flags: flags.map(([, word]) => word), nodes };
}

/** The nodes from which this thread may have memory: its cpuset's. Throws as get_mempolicy does. */
export function allowedNodes(): number[] {
  return get_mempolicy(undefined, MPOL_F_MEMS_ALLOWED).nodes;
}

/** As numa_maps has it: 'interleave=static:0-1'. */
export function formatPolicy({ mode, flags, nodes }: MemoryPolicy): string {
  const modifiers = flags.length > 0 ? `=${flags.join('|')}` : '';
  return `${mode}${modifiers}${nodes.length > 0 ? `:${formatList(nodes)}` : ''}`;
}
