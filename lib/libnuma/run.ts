/** Where threads run. */
import { numa } from './load.js';

const { libnuma } = numa;

/** The calling thread and what it starts run on this node; -1: anywhere. EINVAL for a node without cpus. @see numa(3) */
export const numa_run_on_node = libnuma.numa_run_on_node;
/** On these nodes, as far as the cpuset has them. @see numa(3) */
export const numa_run_on_node_mask = libnuma.numa_run_on_node_mask;
/** On these nodes, whatever the cpuset was when libnuma was loaded. @see numa(3) */
export const numa_run_on_node_mask_all = libnuma.numa_run_on_node_mask_all;
/** @see numa(3) */
export const numa_get_run_node_mask = libnuma.numa_get_run_node_mask;
/**
 * The cpus that a thread may run on, in `mask` if it is given (at least numa_num_possible_cpus() bits), else in a new one. `pid` is a thread;
 * 0: the calling one. @see numa(3), sched_getaffinity(2)
 */
export const numa_sched_getaffinity = libnuma.numa_sched_getaffinity;
/** @see numa(3), sched_setaffinity(2) */
export const numa_sched_setaffinity = libnuma.numa_sched_setaffinity;
