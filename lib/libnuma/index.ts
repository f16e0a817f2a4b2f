/**
 * libnuma under its own names: one function for each of numa.h's, the same arguments in the same order, with the regular
 * changes of memprobe/libc. A set of nodes is a Bitmask or any iterable of numbers; masks that C returns are Bitmasks.
 *
 * The import works everywhere. Where libnuma is missing every call throws ERR_MEMPROBE_UNSUPPORTED and says how to get it,
 * and the constant masks are undefined; a kernel without NUMA says so by numa_available() === -1.
 */
export * from '../address.js';
export type { NodeMask } from '../node_mask.js';
export * from './alloc.js';
export * from './bitmask.js';
export * from './error.js';
export * from './move.js';
export * from './parse.js';
export * from './policy.js';
export * from './run.js';
export * from './topology.js';
