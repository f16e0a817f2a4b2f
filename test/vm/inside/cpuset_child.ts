/** Says what a process finds in the cpuset that it was started in. */
import {
  get_mempolicy,
  MPOL_BIND,
  MPOL_F_ADDR,
  MPOL_F_MEMS_ALLOWED,
  MPOL_F_RELATIVE_NODES,
  MPOL_F_STATIC_NODES,
  MPOL_INTERLEAVE,
  MPOL_MF_MOVE,
  mbind,
  move_pages,
  NULL,
} from '../../../lib/libc/index.js';
import { Pages } from './memory.js';
import type { Policy } from './threads_worker.js';
import { status } from './witness.js';

export interface Confined {
  /** Pages that each placement is about. */
  readonly count: number;
  readonly allowed: number[];
  readonly allowedByKernel: string;
  readonly placement: Record<number, number>;
  readonly static: Policy | string;
  readonly relative: Policy | string;
  /** Error codes. */
  readonly bindingElsewhere: unknown;
  readonly movingElsewhere: unknown;
}

const COUNT = 24;

function bound(mode: number, nodes: readonly number[]): Policy {
  using memory = new Pages(COUNT);
  mbind(memory.address, memory.length, mode, nodes, 0);
  const placement = memory.touch().placement();
  return { ...get_mempolicy(memory.address, MPOL_F_ADDR), placement };
}

function codeOf(call: () => unknown): string {
  try {
    call();
    return 'no error';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

/** The policy, or the code of what went wrong: not every cpuset has every node. */
function tried(mode: number, nodes: readonly number[]): Policy | string {
  let policy: Policy | undefined;
  const code = codeOf(() => (policy = bound(mode, nodes)));
  return policy ?? code;
}

using memory = new Pages(COUNT);
const found: Confined = {
  count: COUNT,
  allowed: get_mempolicy(NULL, MPOL_F_MEMS_ALLOWED).nodes,
  allowedByKernel: status('Mems_allowed_list'),
  placement: memory.touch().placement(),
  static: tried(MPOL_BIND | MPOL_F_STATIC_NODES, [0, 1]),
  relative: tried(MPOL_INTERLEAVE | MPOL_F_RELATIVE_NODES, [0, 1]),
  bindingElsewhere: codeOf(() => bound(MPOL_BIND, [0])),
  movingElsewhere: codeOf(() => move_pages(0, [memory.address], [0], MPOL_MF_MOVE)),
};
console.log(JSON.stringify(found));
