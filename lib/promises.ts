/**
 * The calls of `memprobe/libc` that can block, on the thread pool: same names, same arguments, a promise. Bad arguments
 * reject too. What a call works on is pinned until it has run: unmapping it meanwhile is EBUSY. Calls that set the state
 * of a thread have no such form.
 */
import { native } from './native.js';

export * from './address.js';
export const mmap = native.promises.mmap;
export const munmap = native.promises.munmap;
export const mremap = native.promises.mremap;
export const mprotect = native.promises.mprotect;
export const msync = native.promises.msync;
export const madvise = native.promises.madvise;
export const posix_madvise = native.promises.posix_madvise;
export const process_madvise = native.promises.process_madvise;
export const mincore = native.promises.mincore;
export const cachestat = native.promises.cachestat;
export const mlock = native.promises.mlock;
export const mlock2 = native.promises.mlock2;
export const munlock = native.promises.munlock;
export const mlockall = native.promises.mlockall;
export const munlockall = native.promises.munlockall;
export const malloc_info = native.promises.malloc_info;
export const malloc_stats = native.promises.malloc_stats;
export const malloc_trim = native.promises.malloc_trim;
export const muntrace = native.promises.muntrace;
export const mcheck_check_all = native.promises.mcheck_check_all;
export const mbind = native.promises.mbind;
export const move_pages = native.promises.move_pages;
export const migrate_pages = native.promises.migrate_pages;
export const set_mempolicy_home_node = native.promises.set_mempolicy_home_node;
export const peek = native.promises.peek;
export const poke = native.promises.poke;
