/**
 * The memory policy of the calling thread: each thread (the main one, each worker) has its own, so there are no promise
 * forms. Nodes are a Bitmask or any iterable of numbers of nodes that the machine has. All throw what libnuma would have
 * passed to numa_error: EINVAL where none of the nodes may be used, EPERM where a seccomp filter refuses.
 */
import { numa } from './load.js';

const { libnuma } = numa;

/** The preferred node, 0 or -1 (depending on libnuma) when there is none. @see numa(3) */
export const numa_preferred = libnuma.numa_preferred;
/** -1: where the thread runs. @see numa(3) */
export const numa_set_preferred = libnuma.numa_set_preferred;
/** The preferred node, -1 for none. Later than libnuma 2.0.19. @see numa(3) */
export const numa_preferred_err = libnuma.numa_preferred_err;
/** The node of the next interleaved page; 0 where the policy does not interleave. @see numa(3) */
export const numa_get_interleave_node = libnuma.numa_get_interleave_node;
/** Empty where the policy does not interleave. @see numa(3) */
export const numa_get_interleave_mask = libnuma.numa_get_interleave_mask;
/** No nodes: the default policy. @see numa(3) */
export const numa_set_interleave_mask = libnuma.numa_set_interleave_mask;
/** Runs and allocates on these nodes only. @see numa(3) */
export const numa_bind = libnuma.numa_bind;
/** Allocates where the thread runs. @see numa(3) */
export const numa_set_localalloc = libnuma.numa_set_localalloc;
/** Allocates on these nodes only. @see numa(3) */
export const numa_set_membind = libnuma.numa_set_membind;
/** numa_set_membind with the kernel's balancing between them. libnuma 2.0.15; before Linux 5.12 without it. @see numa(3) */
export const numa_set_membind_balancing = libnuma.numa_set_membind_balancing;
/** All nodes where the policy does not bind. @see numa(3) */
export const numa_get_membind = libnuma.numa_get_membind;
/** 0: numa_alloc_onnode and numa_tonode*_memory of this thread prefer their nodes; else (at first) they bind. @see numa(3) */
export const numa_set_bind_policy = libnuma.numa_set_bind_policy;
/** Not 0: a policy for memory that is elsewhere already is an error (EIO), on this thread. @see numa(3) */
export const numa_set_strict = libnuma.numa_set_strict;
/** 1 if the kernel can prefer several nodes (Linux 5.15). libnuma 2.0.15. @see numa(3) */
export const numa_has_preferred_many = libnuma.numa_has_preferred_many;
/** Where the kernel can't, the first of them, and a warning. libnuma 2.0.15. @see numa(3) */
export const numa_set_preferred_many = libnuma.numa_set_preferred_many;
/** libnuma 2.0.15. @see numa(3) */
export const numa_preferred_many = libnuma.numa_preferred_many;
/** 1 if the kernel has set_mempolicy_home_node (Linux 5.17). libnuma 2.0.18. @see numa(3) */
export const numa_has_home_node = libnuma.numa_has_home_node;
/** Interleaves by the weights in /sys/kernel/mm/mempolicy (Linux 6.9). libnuma 2.0.19. @see numa(3) */
export const numa_set_weighted_interleave_mask = libnuma.numa_set_weighted_interleave_mask;
/** Later than libnuma 2.0.19. @see numa(3) */
export const numa_get_weighted_interleave_mask = libnuma.numa_get_weighted_interleave_mask;
