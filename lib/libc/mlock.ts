/** Locking memory against being swapped out. */
import { native } from '../native.js';

/**
 * Faults the pages in and keeps them in memory. Throws ENOMEM (over RLIMIT_MEMLOCK, or not all of it is mapped: the part
 * before the hole is locked then), EPERM, EAGAIN. Locks do not nest. Anonymous memory that memprobe did not map is
 * ERR_MEMPROBE_NOT_OWNED: it may be V8's, which ends the process when it can't give a page back because that is locked
 * (files, the break and stacks may be locked). @see mlock(2)
 */
export const mlock = native.libc.mlock;

/** mlock, with the same refusals; with MLOCK_ONFAULT each page is locked when it is first touched. Linux 4.4. @see mlock2(2) */
export const mlock2 = native.libc.mlock2;

/** @see munlock(2) */
export const munlock = native.libc.munlock;

/**
 * Locks all that is mapped (MCL_CURRENT) or will be (MCL_FUTURE). V8's pages would be among them, and the next garbage
 * collection that gives one back would end the process: always ERR_MEMPROBE_NOT_OWNED (flags that there are not: EINVAL).
 * Lock what you mapped; `memprobe/unsafe` has the call as it is. @see mlockall(2)
 */
export const mlockall = native.libc.mlockall;

/** @see munlockall(2) */
export const munlockall = native.libc.munlockall;

const c = native.constants;
export const MCL_CURRENT = c.MCL_CURRENT;
export const MCL_FUTURE = c.MCL_FUTURE;
/** With one of the others: pages are locked as they are touched. Linux 4.4. */
export const MCL_ONFAULT = c.MCL_ONFAULT;
/** For mlock2. */
export const MLOCK_ONFAULT = c.MLOCK_ONFAULT;
