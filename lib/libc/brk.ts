/**
 * The program break: the end of the heap that glibc's main arena lives on.
 *
 * Both calls are real and share the break with malloc. The guard refuses (`ERR_MEMPROBE_NOT_OWNED`) to lower it over
 * anything that these calls have not raised it by, such as memory that glibc has put on top since.
 */
import { native } from '../native.js';

/**
 * Moves the break to `addr`. Throws ENOMEM where the data segment would exceed RLIMIT_DATA or run into a mapping: in
 * about 1 of 140 Node processes V8's code range lies right above the heap.
 * @see brk(2)
 */
export const brk = native.libc.brk;

/** Moves the break by `increment` bytes and returns where it was; `sbrk(0)` asks. Throws ENOMEM. @see sbrk(2) */
export const sbrk = native.libc.sbrk;
