/**
 * Memory on nodes. What numa_alloc* return is memprobe's like any other: `view` (of memprobe/libc) sees it, freeing it
 * detaches the views, and numa_free wants the very address and size. Sizes are bytes; the memory is whole pages.
 *
 * Where libnuma would return memory without the policy that was asked for, and write a line, this gives it back and throws.
 * There are no promise forms: pages lie where the thread that touches them runs.
 */
import { numa } from './load.js';

const { libnuma } = numa;

/** With the thread's policy; every page is touched. Throws ENOMEM, and EINVAL for 0 bytes. @see numa(3) */
export const numa_alloc = libnuma.numa_alloc;
/** @see numa(3) */
export const numa_alloc_onnode = libnuma.numa_alloc_onnode;
/** @see numa(3) */
export const numa_alloc_local = libnuma.numa_alloc_local;
/** Page by page on all nodes in turn. @see numa(3) */
export const numa_alloc_interleaved = libnuma.numa_alloc_interleaved;
/** Page by page on these nodes in turn. @see numa(3) */
export const numa_alloc_interleaved_subset = libnuma.numa_alloc_interleaved_subset;
/** By the nodes' weights (Linux 6.9). Later than libnuma 2.0.19. @see numa(3) */
export const numa_alloc_weighted_interleaved = libnuma.numa_alloc_weighted_interleaved;
/** By the nodes' weights (Linux 6.9). Later than libnuma 2.0.19. @see numa(3) */
export const numa_alloc_weighted_interleaved_subset = libnuma.numa_alloc_weighted_interleaved_subset;
/**
 * mremap: the policy stays, the address may change and views are detached. `oldSize` is the size that was asked for; another
 * throws ERR_OUT_OF_RANGE. @see numa(3)
 */
export const numa_realloc = libnuma.numa_realloc;
/**
 * Throws ERR_MEMPROBE_NOT_OWNED for what no numa_alloc* returned or was freed, ERR_OUT_OF_RANGE for another size than was
 * asked for, EBUSY while another thread has a view. @see numa(3)
 */
export const numa_free = libnuma.numa_free;

/** mbind(2) for memory that is not touched yet, like the next four: EFAULT for a hole, EINVAL off a page. @see numa(3) */
export const numa_interleave_memory = libnuma.numa_interleave_memory;
/** Later than libnuma 2.0.19. @see numa(3) */
export const numa_weighted_interleave_memory = libnuma.numa_weighted_interleave_memory;
/** @see numa(3) */
export const numa_tonode_memory = libnuma.numa_tonode_memory;
/** @see numa(3) */
export const numa_tonodemask_memory = libnuma.numa_tonodemask_memory;
/** @see numa(3) */
export const numa_setlocal_memory = libnuma.numa_setlocal_memory;
/** Touches every page, so that it is allocated now. Memory of memprobe's only: elsewhere it could be a signal. @see numa(3) */
export const numa_police_memory = libnuma.numa_police_memory;
/** For memory that is bound or prefers several nodes (Linux 5.17). `flags` is 0. libnuma 2.0.18. @see numa(3) */
export const numa_set_mempolicy_home_node = libnuma.numa_set_mempolicy_home_node;
