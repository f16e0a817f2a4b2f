/**
 * A set of NUMA nodes: anything that yields node numbers, such as an array, a Set or a Bitmask. Numbers may repeat and
 * come in any order; each is an integer from 0 to 32767, which is as far as the kernel reads.
 */
export type NodeMask = Iterable<number>;
