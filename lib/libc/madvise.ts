/** Telling the kernel how memory will be used, and giving it back. */
import { native } from '../native.js';

/**
 * Gives advice about whole pages. Over a hole the kernel acts on the mapped parts and then throws ENOMEM. Advice that
 * can destroy (DONTNEED, FREE, REMOVE, DONTFORK, WIPEONFORK, HWPOISON, GUARD_INSTALL, and any that memprobe does not
 * know) wants memory that memprobe created: `ERR_MEMPROBE_NOT_OWNED` otherwise. Whole pages inside a block from malloc
 * may be given back with DONTNEED and FREE. Throws EACCES, EAGAIN, EBADF, EINVAL, ENOMEM, EPERM. @see madvise(2)
 */
export const madvise = native.libc.madvise;

/** POSIX's form; the error is C's return value. POSIX_MADV_DONTNEED does nothing in glibc. @see posix_madvise(3) */
export const posix_madvise = native.libc.posix_madvise;

/**
 * Gives advice about ranges of the process behind `pidfd`, and returns how many bytes were advised. Another process
 * takes MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED and MADV_COLLAPSE alone. `flags` is 0. Throws EBADF, EFAULT, EINVAL,
 * EPERM, ESRCH. Linux 5.10. @see process_madvise(2)
 */
export const process_madvise = native.libc.process_madvise;

const c = native.constants;
export const MADV_NORMAL = c.MADV_NORMAL;
export const MADV_RANDOM = c.MADV_RANDOM;
export const MADV_SEQUENTIAL = c.MADV_SEQUENTIAL;
export const MADV_WILLNEED = c.MADV_WILLNEED;
/** The pages go now: the next access finds zeroes, or the file's content. */
export const MADV_DONTNEED = c.MADV_DONTNEED;
/** The pages may go when memory is short, unless they are written first. Linux 4.5. */
export const MADV_FREE = c.MADV_FREE;
/** Punches a hole into what is mapped. */
export const MADV_REMOVE = c.MADV_REMOVE;
export const MADV_DONTFORK = c.MADV_DONTFORK;
export const MADV_DOFORK = c.MADV_DOFORK;
/** Same-page merging (KSM). */
export const MADV_MERGEABLE = c.MADV_MERGEABLE;
export const MADV_UNMERGEABLE = c.MADV_UNMERGEABLE;
export const MADV_HUGEPAGE = c.MADV_HUGEPAGE;
export const MADV_NOHUGEPAGE = c.MADV_NOHUGEPAGE;
export const MADV_DONTDUMP = c.MADV_DONTDUMP;
export const MADV_DODUMP = c.MADV_DODUMP;
/** Linux 4.14. */
export const MADV_WIPEONFORK = c.MADV_WIPEONFORK;
/** Linux 4.14. */
export const MADV_KEEPONFORK = c.MADV_KEEPONFORK;
/** The first to be reclaimed. Linux 5.4. */
export const MADV_COLD = c.MADV_COLD;
/** Reclaimed now: swapped out or written back. Linux 5.4. */
export const MADV_PAGEOUT = c.MADV_PAGEOUT;
/** Linux 5.14. */
export const MADV_POPULATE_READ = c.MADV_POPULATE_READ;
/** Linux 5.14. */
export const MADV_POPULATE_WRITE = c.MADV_POPULATE_WRITE;
/** MADV_DONTNEED that takes locked pages too. Linux 5.18. */
export const MADV_DONTNEED_LOCKED = c.MADV_DONTNEED_LOCKED;
/** Huge pages now. Linux 6.1. */
export const MADV_COLLAPSE = c.MADV_COLLAPSE;
/** As if the hardware had failed there: CAP_SYS_ADMIN. */
export const MADV_HWPOISON = c.MADV_HWPOISON;
/** CAP_SYS_ADMIN. */
export const MADV_SOFT_OFFLINE = c.MADV_SOFT_OFFLINE;
/** An access is a SIGSEGV from now on; memprobe makes no view of such pages. Linux 6.13. */
export const MADV_GUARD_INSTALL = c.MADV_GUARD_INSTALL;
/** Linux 6.13. */
export const MADV_GUARD_REMOVE = c.MADV_GUARD_REMOVE;

export const POSIX_MADV_NORMAL = c.POSIX_MADV_NORMAL;
export const POSIX_MADV_RANDOM = c.POSIX_MADV_RANDOM;
export const POSIX_MADV_SEQUENTIAL = c.POSIX_MADV_SEQUENTIAL;
export const POSIX_MADV_WILLNEED = c.POSIX_MADV_WILLNEED;
export const POSIX_MADV_DONTNEED = c.POSIX_MADV_DONTNEED;
