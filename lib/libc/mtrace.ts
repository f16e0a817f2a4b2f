/** A log of every allocation, for memprobe leaks and the mtrace script; it needs `memprobe run --malloc-debug`. */
import { native } from '../native.js';

/**
 * From now on, every allocation of the process, with its call site, goes into the file `path`: made or emptied, mode 0600,
 * never through a symbolic link. (C takes the name from MALLOC_TRACE, which is set for the moment of the call.) What was
 * allocated before appears as frees of unknown addresses. With several threads a line can come after one of another
 * thread that it preceded. Each new call site costs a walk over the symbols of its object: a millisecond in Node, once
 * under `memprobe run`, each time elsewhere.
 *
 * Throws `ERR_MEMPROBE_UNSUPPORTED` where libc_malloc_debug.so.0 is not preloaded (glibc since 2.34 does nothing then),
 * `ERR_MEMPROBE_BUSY` while another trace or the hooks are on, `ERR_MEMPROBE_BAD_FILE` for a link or anything but a
 * regular file with one name, and what open(2) says. @see mtrace(3)
 */
export const mtrace = native.libc.mtrace;

/**
 * Ends the log, whoever began it; nothing when there is none. glibc's own would free the stream while other threads write to
 * it: memprobe keeps it, led to /dev/null, for the next mtrace, and leads allocation past it. What other threads are calling
 * at that moment may be missing. A log that C code began is left to glibc's muntrace, after 20 ms in which other threads
 * are led past it. @see muntrace(3)
 */
export const muntrace = native.libc.muntrace;
