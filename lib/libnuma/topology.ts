/** What the machine has. libnuma reads most of it once, when it is loaded. */
import { numa } from './load.js';

const { libnuma } = numa;

/**
 * 0, or -1 where the kernel has no NUMA or (newer libnuma) a seccomp filter refuses the calls. All others need 0.
 * @see numa(3)
 */
export const numa_available = libnuma.numa_available;
/** The highest node number that the kernel could have. @see numa(3) */
export const numa_max_possible_node = libnuma.numa_max_possible_node;
/** The size of the kernel's node mask in bits, and of numa_allocate_nodemask's. @see numa(3) */
export const numa_num_possible_nodes = libnuma.numa_num_possible_nodes;
/** The size of the kernel's cpu mask in bits, and of numa_allocate_cpumask's. @see numa(3) */
export const numa_num_possible_cpus = libnuma.numa_num_possible_cpus;
/** The highest node number of this machine. @see numa(3) */
export const numa_max_node = libnuma.numa_max_node;
/** How many nodes have memory. @see numa(3) */
export const numa_num_configured_nodes = libnuma.numa_num_configured_nodes;
/** How many cpus there are, also those that are offline. @see numa(3) */
export const numa_num_configured_cpus = libnuma.numa_num_configured_cpus;
/** How many cpus this process may run on. @see numa(3) */
export const numa_num_task_cpus = libnuma.numa_num_task_cpus;
/** How many nodes this process may allocate on. @see numa(3) */
export const numa_num_task_nodes = libnuma.numa_num_task_nodes;
/** The old name of numa_num_task_cpus. @see numa(3) */
export const numa_num_thread_cpus = libnuma.numa_num_thread_cpus;
/** The old name of numa_num_task_nodes. @see numa(3) */
export const numa_num_thread_nodes = libnuma.numa_num_thread_nodes;
/** In bytes. @see numa(3) */
export const numa_pagesize = libnuma.numa_pagesize;
/** The nodes that this thread's cpuset lets it allocate on, asked anew each time. @see numa(3) */
export const numa_get_mems_allowed = libnuma.numa_get_mems_allowed;
/** Bytes. Throws ERR_OUT_OF_RANGE for a node that is not there, ENODATA for one without memory to speak of. @see numa(3) */
export const numa_node_size = libnuma.numa_node_size;
/** numa_node_size in bigints. @see numa(3) */
export const numa_node_size64 = libnuma.numa_node_size64;
/** 10 from a node to itself, more to others; 0: one of them is not there. @see numa(3) */
export const numa_distance = libnuma.numa_distance;
/**
 * The cpus of a node, in `mask` if it is given (at least numa_num_possible_cpus() bits), else in a new one. libnuma
 * remembers them until numa_node_to_cpu_update(). @see numa(3)
 */
export const numa_node_to_cpus = libnuma.numa_node_to_cpus;
/** Cpus went online or offline: numa_node_to_cpus is to look again. @see numa(3) */
export const numa_node_to_cpu_update = libnuma.numa_node_to_cpu_update;
/** Throws ERR_OUT_OF_RANGE for a cpu that is on no node. @see numa(3) */
export const numa_node_of_cpu = libnuma.numa_node_of_cpu;

/** 2: masks are bitmasks of any size. */
export const LIBNUMA_API_VERSION = numa.constants.LIBNUMA_API_VERSION;
