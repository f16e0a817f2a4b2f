/** What is in memory: pages of a mapping, pages of a file. */
import { native } from '../native.js';

/**
 * One byte for each page of [addr, addr + length), bit 0 set where it is in memory; into `vec` when it is given (it may
 * be longer), else into a new array. Of a file that the caller may not write, the kernel says that every page is.
 * Throws EINVAL (misaligned), ENOMEM (not mapped); `ERR_OUT_OF_RANGE` for a `vec` that is too short. @see mincore(2)
 */
export const mincore = native.libc.mincore;

/**
 * Page-cache statistics, in pages, of `length` bytes of a file from `offset` (0: to its end); `flags` is 0. Throws
 * EPERM for a file that the caller may not write, EOPNOTSUPP on hugetlbfs. Linux 6.5. @see cachestat(2)
 */
export const cachestat = native.libc.cachestat;
