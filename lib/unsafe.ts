/**
 * `memprobe/libc` and `memprobe/libnuma` without the guard: the same calls with the same argument checks, and no question of
 * who owns the memory. A wrong address kills the process or corrupts it silently. What is allocated here is unknown to the
 * guard, and what is freed here behind its back it takes to be alive: keep the two apart.
 */
import { numa } from './libnuma/load.js';
import { native } from './native.js';

export * from './libc/index.js'; // constants and types; the calls below take precedence
export * from './libnuma/index.js'; // likewise
export const getpagesize = native.unsafe.getpagesize;
export const brk = native.unsafe.brk;
export const sbrk = native.unsafe.sbrk;
export const mmap = native.unsafe.mmap;
export const munmap = native.unsafe.munmap;
export const mremap = native.unsafe.mremap;
export const mprotect = native.unsafe.mprotect;
export const msync = native.unsafe.msync;
export const memfd_create = native.unsafe.memfd_create;
export const mseal = native.unsafe.mseal;
export const madvise = native.unsafe.madvise;
export const posix_madvise = native.unsafe.posix_madvise;
export const process_madvise = native.unsafe.process_madvise;
export const mincore = native.unsafe.mincore;
export const cachestat = native.unsafe.cachestat;
export const mlock = native.unsafe.mlock;
export const mlock2 = native.unsafe.mlock2;
export const munlock = native.unsafe.munlock;
export const mlockall = native.unsafe.mlockall;
export const munlockall = native.unsafe.munlockall;
export const malloc = native.unsafe.malloc;
export const calloc = native.unsafe.calloc;
export const realloc = native.unsafe.realloc;
export const reallocarray = native.unsafe.reallocarray;
export const free = native.unsafe.free;
export const posix_memalign = native.unsafe.posix_memalign;
export const aligned_alloc = native.unsafe.aligned_alloc;
export const memalign = native.unsafe.memalign;
export const valloc = native.unsafe.valloc;
export const pvalloc = native.unsafe.pvalloc;
export const malloc_usable_size = native.unsafe.malloc_usable_size;
export const mallinfo = native.unsafe.mallinfo;
export const mallinfo2 = native.unsafe.mallinfo2;
export const malloc_info = native.unsafe.malloc_info;
export const malloc_stats = native.unsafe.malloc_stats;
export const malloc_trim = native.unsafe.malloc_trim;
export const mallopt = native.unsafe.mallopt;
export const malloc_get_state = native.unsafe.malloc_get_state;
export const malloc_set_state = native.unsafe.malloc_set_state;
export const mtrace = native.unsafe.mtrace;
export const muntrace = native.unsafe.muntrace;
export const mcheck = native.unsafe.mcheck;
export const mcheck_pedantic = native.unsafe.mcheck_pedantic;
export const mcheck_check_all = native.unsafe.mcheck_check_all;
export const mprobe = native.unsafe.mprobe;
export const __malloc_hook = native.unsafe.__malloc_hook;
export const __realloc_hook = native.unsafe.__realloc_hook;
export const __memalign_hook = native.unsafe.__memalign_hook;
export const __free_hook = native.unsafe.__free_hook;
export const __malloc_initialize_hook = native.unsafe.__malloc_initialize_hook;
export const __after_morecore_hook = native.unsafe.__after_morecore_hook;
export const mbind = native.unsafe.mbind;
export const set_mempolicy = native.unsafe.set_mempolicy;
export const get_mempolicy = native.unsafe.get_mempolicy;
export const move_pages = native.unsafe.move_pages;
export const migrate_pages = native.unsafe.migrate_pages;
export const set_mempolicy_home_node = native.unsafe.set_mempolicy_home_node;
export const peek = native.unsafe.peek;
export const poke = native.unsafe.poke;
export const view = native.unsafe.view;
export const alloca = native.unsafe.alloca;
export const numa_alloc = numa.unsafe.numa_alloc;
export const numa_alloc_onnode = numa.unsafe.numa_alloc_onnode;
export const numa_alloc_local = numa.unsafe.numa_alloc_local;
export const numa_alloc_interleaved = numa.unsafe.numa_alloc_interleaved;
export const numa_alloc_interleaved_subset = numa.unsafe.numa_alloc_interleaved_subset;
export const numa_alloc_weighted_interleaved = numa.unsafe.numa_alloc_weighted_interleaved;
export const numa_alloc_weighted_interleaved_subset = numa.unsafe.numa_alloc_weighted_interleaved_subset;
export const numa_realloc = numa.unsafe.numa_realloc;
export const numa_free = numa.unsafe.numa_free;
export const numa_police_memory = numa.unsafe.numa_police_memory;
