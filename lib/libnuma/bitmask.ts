/**
 * libnuma's `struct bitmask`: sets of nodes or cpus. Where a call only reads a set, any iterable of numbers will do; where
 * it changes one, it takes a Bitmask.
 */
import type { NodeMask } from '../node_mask.js';
import { numa } from './load.js';

/**
 * A real `struct bitmask`, freed with the object. `new Bitmask(1024)` is numa_bitmask_alloc(1024). Iterating yields the
 * numbers of the bits that are set, as they are when it begins; of more than 2^24 it throws ERR_OUT_OF_RANGE. A freed one (numa_bitmask_free), and changing or freeing one
 * of libnuma's own (numa_all_nodes_ptr), throws ERR_MEMPROBE_NOT_OWNED.
 */
export interface Bitmask extends Iterable<number> {
  /** In bits. */
  readonly size: number;
  /** The same numbers, whatever the sizes. */
  equals(other: NodeMask): boolean;
  /** As numactl writes it: `0-2,5`; '' for none. More than a string can hold throws ERR_STRING_TOO_LONG. */
  toString(): string;
}

export interface BitmaskConstructor {
  /** All bits clear. `size` is 1 to 2147483647 bits. Throws ENOMEM. */
  new (size: number): Bitmask;
  readonly prototype: Bitmask;
}

export const Bitmask: BitmaskConstructor = numa.Bitmask;

const { libnuma } = numa;

/** A mask of `n` bits, all clear. 0, which in C ends the process, throws ERR_OUT_OF_RANGE. @see numa(3) */
export const numa_bitmask_alloc = libnuma.numa_bitmask_alloc;
/** Frees it now instead of with the object; everything that is done with it afterwards throws. @see numa(3) */
export const numa_bitmask_free = libnuma.numa_bitmask_free;
/** A mask of as many bits as the kernel can have nodes. @see numa(3) */
export const numa_allocate_nodemask = libnuma.numa_allocate_nodemask;
/** numa_bitmask_free. @see numa(3) */
export const numa_free_nodemask = libnuma.numa_free_nodemask;
/** A mask of as many bits as the kernel can have cpus. @see numa(3) */
export const numa_allocate_cpumask = libnuma.numa_allocate_cpumask;
/** numa_bitmask_free. @see numa(3) */
export const numa_free_cpumask = libnuma.numa_free_cpumask;
/** 1 or 0; of a bit beyond the mask 0. @see numa(3) */
export const numa_bitmask_isbitset = libnuma.numa_bitmask_isbitset;
/** Returns the mask itself. @see numa(3) */
export const numa_bitmask_setall = libnuma.numa_bitmask_setall;
/** Returns the mask itself. @see numa(3) */
export const numa_bitmask_clearall = libnuma.numa_bitmask_clearall;
/** Returns the mask itself. A bit beyond it, which C ignores, throws ERR_OUT_OF_RANGE. @see numa(3) */
export const numa_bitmask_setbit = libnuma.numa_bitmask_setbit;
/** Returns the mask itself. A bit beyond it, which C ignores, throws ERR_OUT_OF_RANGE. @see numa(3) */
export const numa_bitmask_clearbit = libnuma.numa_bitmask_clearbit;
/** The bytes of its words: a multiple of 8. @see numa(3) */
export const numa_bitmask_nbytes = libnuma.numa_bitmask_nbytes;
/** How many bits are set. @see numa(3) */
export const numa_bitmask_weight = libnuma.numa_bitmask_weight;
/** 1 if the same bits are set, whatever the sizes; else 0. @see numa(3) */
export const numa_bitmask_equal = libnuma.numa_bitmask_equal;
/** Bits that `to` has no room for are dropped, those that `from` has not are cleared. @see numa(3) */
export const copy_bitmask_to_bitmask = libnuma.copy_bitmask_to_bitmask;
/** A nodemask_t is a Bitmask of NUMA_NUM_NODES bits; no more than these are copied. @see numa(3) */
export const copy_bitmask_to_nodemask = libnuma.copy_bitmask_to_nodemask;
/** A nodemask_t is a Bitmask of NUMA_NUM_NODES bits; no more than these are copied. @see numa(3) */
export const copy_nodemask_to_bitmask = libnuma.copy_nodemask_to_bitmask;

const { masks } = numa;
/** The nodes that this process may allocate on. Like the others here as it was when libnuma was loaded, and constant. */
export const numa_all_nodes_ptr = masks.numa_all_nodes_ptr;
/** The nodes of the machine. */
export const numa_nodes_ptr = masks.numa_nodes_ptr;
export const numa_no_nodes_ptr = masks.numa_no_nodes_ptr;
/** The cpus that this process may run on. */
export const numa_all_cpus_ptr = masks.numa_all_cpus_ptr;
/** libnuma 1's: NUMA_NUM_NODES bits. */
export const numa_all_nodes = masks.numa_all_nodes;
/** libnuma 1's: NUMA_NUM_NODES bits. */
export const numa_no_nodes = masks.numa_no_nodes;
/** Bits of libnuma 1's nodemask_t. */
export const NUMA_NUM_NODES = numa.constants.NUMA_NUM_NODES;
