/** Mappings: making, moving, protecting, writing back and ending them. */
import { native } from '../native.js';

/**
 * Maps `length` bytes of the file `fd` from `offset` (or, with MAP_ANONYMOUS, zeroes) and returns the address, which the
 * kernel chooses near the hint `addr`. The mapping belongs to the caller until munmap: garbage collection does not end it.
 *
 * MAP_FIXED replaces what lies at `addr`, and is refused (`ERR_MEMPROBE_NOT_OWNED`) unless memprobe mapped all of it:
 * MAP_FIXED_NOREPLACE (Linux 4.17) is for free addresses. Throws EACCES, EAGAIN, EBADF, EINVAL, ENODEV, ENOMEM, EPERM …
 * @see mmap(2)
 */
export const mmap = native.libc.mmap;

/**
 * Ends the mappings of [addr, addr + length), rounded out to pages. Every view of them is detached first; the addresses of
 * what was viewed stay reserved, without memory, until the garbage collector has taken the view. Refused where
 * memprobe did not map all of it (`ERR_MEMPROBE_NOT_OWNED`), and EBUSY while a call on another thread uses it, another
 * thread has a view of it, or a view was moved away by `ArrayBuffer.prototype.transfer`. @see munmap(2)
 */
export const munmap = native.libc.munmap;

/**
 * Grows, shrinks or moves a mapping and returns its address; views are detached first, whether it moves or not.
 * `oldSize` 0 duplicates a shared mapping. `newAddr` is read with MREMAP_FIXED, and as a hint with MREMAP_DONTUNMAP
 * (Linux 5.7). Throws EAGAIN, EFAULT, EINVAL, ENOMEM; refuses like munmap. @see mremap(2)
 */
export const mremap = native.libc.mremap;

/**
 * Changes the protection of whole pages; views are detached first. Refuses PROT_GROWSDOWN and PROT_GROWSUP, which reach
 * beyond them. Throws EACCES, EINVAL, ENOMEM, EPERM (sealed). @see mprotect(2)
 */
export const mprotect = native.libc.mprotect;

/** Writes changes of a shared file mapping back. Throws EBUSY, EINVAL, ENOMEM (unmapped). @see msync(2) */
export const msync = native.libc.msync;

/**
 * A file without a name, in memory; returns its descriptor, which `fs` can read, truncate and close. `name` shows in
 * /proc/PID/maps as `/memfd:name`. Throws EINVAL (a name over 249 bytes, unknown flags), EMFILE. Linux 3.17.
 * @see memfd_create(2)
 */
export const memfd_create = native.libc.memfd_create;

/**
 * Forbids every later change of these mappings, munmap included, for ever. Refuses those of files: pages that go missing
 * could not be mended. Linux 6.10. @see mseal(2)
 */
export const mseal = native.libc.mseal;

const c = native.constants;
/** Protection: no access. */
export const PROT_NONE = c.PROT_NONE;
export const PROT_READ = c.PROT_READ;
export const PROT_WRITE = c.PROT_WRITE;
export const PROT_EXEC = c.PROT_EXEC;
/** For atomic operations, where an architecture needs it; without effect on x86-64 and arm64. */
export const PROT_SEM = c.PROT_SEM;
/** mprotect: extend to the start of a mapping that grows downwards. */
export const PROT_GROWSDOWN = c.PROT_GROWSDOWN;
export const PROT_GROWSUP = c.PROT_GROWSUP;

/** Stores reach the file and everybody who maps it. */
export const MAP_SHARED = c.MAP_SHARED;
/** Stores stay in private copies of the pages. */
export const MAP_PRIVATE = c.MAP_PRIVATE;
/** MAP_SHARED that refuses flags which it does not know. Linux 4.15. */
export const MAP_SHARED_VALIDATE = c.MAP_SHARED_VALIDATE;
/** Anonymous memory that the kernel may zero under pressure. Linux 6.11. */
export const MAP_DROPPABLE = c.MAP_DROPPABLE;
export const MAP_TYPE = c.MAP_TYPE;
export const MAP_FIXED = c.MAP_FIXED;
/** At `addr` or not at all: EEXIST. Linux 4.17. */
export const MAP_FIXED_NOREPLACE = c.MAP_FIXED_NOREPLACE;
export const MAP_ANONYMOUS = c.MAP_ANONYMOUS;
export const MAP_ANON = c.MAP_ANON;
/** Ignored. */
export const MAP_FILE = c.MAP_FILE;
/** Anonymous pages need not be zeroed: only where the kernel has CONFIG_MMAP_ALLOW_UNINITIALIZED (no MMU), ignored elsewhere. */
export const MAP_UNINITIALIZED = c.MAP_UNINITIALIZED;
export const MAP_GROWSDOWN = c.MAP_GROWSDOWN;
/** Like mlock afterwards, except that a failure to fault the pages in is not reported. */
export const MAP_LOCKED = c.MAP_LOCKED;
/** No swap is set aside for it. */
export const MAP_NORESERVE = c.MAP_NORESERVE;
/** Faults all pages in, or reads the file ahead. */
export const MAP_POPULATE = c.MAP_POPULATE;
/** With MAP_POPULATE: no reading ahead. */
export const MAP_NONBLOCK = c.MAP_NONBLOCK;
export const MAP_STACK = c.MAP_STACK;
/** Huge pages; log2 of their size may stand in the bits from MAP_HUGE_SHIFT on. */
export const MAP_HUGETLB = c.MAP_HUGETLB;
export const MAP_HUGE_SHIFT = c.MAP_HUGE_SHIFT;
export const MAP_HUGE_MASK = c.MAP_HUGE_MASK;
export const MAP_HUGE_16KB = c.MAP_HUGE_16KB;
export const MAP_HUGE_64KB = c.MAP_HUGE_64KB;
export const MAP_HUGE_512KB = c.MAP_HUGE_512KB;
export const MAP_HUGE_1MB = c.MAP_HUGE_1MB;
export const MAP_HUGE_2MB = c.MAP_HUGE_2MB;
export const MAP_HUGE_8MB = c.MAP_HUGE_8MB;
export const MAP_HUGE_16MB = c.MAP_HUGE_16MB;
export const MAP_HUGE_32MB = c.MAP_HUGE_32MB;
export const MAP_HUGE_256MB = c.MAP_HUGE_256MB;
export const MAP_HUGE_512MB = c.MAP_HUGE_512MB;
export const MAP_HUGE_1GB = c.MAP_HUGE_1GB;
export const MAP_HUGE_2GB = c.MAP_HUGE_2GB;
export const MAP_HUGE_16GB = c.MAP_HUGE_16GB;
/** With MAP_SHARED_VALIDATE, on DAX files. Linux 4.15. */
export const MAP_SYNC = c.MAP_SYNC;
/** In the low 2 GiB. x86-64 alone: undefined elsewhere. */
export const MAP_32BIT = c.MAP_32BIT;
/** Ignored. */
export const MAP_DENYWRITE = c.MAP_DENYWRITE;
/** Ignored. */
export const MAP_EXECUTABLE = c.MAP_EXECUTABLE;

export const MREMAP_MAYMOVE = c.MREMAP_MAYMOVE;
export const MREMAP_FIXED = c.MREMAP_FIXED;
/** The pages move, the old mapping stays, empty. Linux 5.7. */
export const MREMAP_DONTUNMAP = c.MREMAP_DONTUNMAP;

export const MS_ASYNC = c.MS_ASYNC;
export const MS_SYNC = c.MS_SYNC;
export const MS_INVALIDATE = c.MS_INVALIDATE;

export const MFD_CLOEXEC = c.MFD_CLOEXEC;
export const MFD_ALLOW_SEALING = c.MFD_ALLOW_SEALING;
export const MFD_HUGETLB = c.MFD_HUGETLB;
/** Linux 6.3. */
export const MFD_NOEXEC_SEAL = c.MFD_NOEXEC_SEAL;
/** Linux 6.3. */
export const MFD_EXEC = c.MFD_EXEC;
export const MFD_HUGE_SHIFT = c.MFD_HUGE_SHIFT;
export const MFD_HUGE_MASK = c.MFD_HUGE_MASK;
export const MFD_HUGE_64KB = c.MFD_HUGE_64KB;
export const MFD_HUGE_512KB = c.MFD_HUGE_512KB;
export const MFD_HUGE_1MB = c.MFD_HUGE_1MB;
export const MFD_HUGE_2MB = c.MFD_HUGE_2MB;
export const MFD_HUGE_8MB = c.MFD_HUGE_8MB;
export const MFD_HUGE_16MB = c.MFD_HUGE_16MB;
export const MFD_HUGE_32MB = c.MFD_HUGE_32MB;
export const MFD_HUGE_256MB = c.MFD_HUGE_256MB;
export const MFD_HUGE_512MB = c.MFD_HUGE_512MB;
export const MFD_HUGE_1GB = c.MFD_HUGE_1GB;
export const MFD_HUGE_2GB = c.MFD_HUGE_2GB;
export const MFD_HUGE_16GB = c.MFD_HUGE_16GB;
