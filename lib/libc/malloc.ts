/**
 * The C library's allocator, the one that Node itself uses. Sizes in bytes; blocks are aligned to 16.
 *
 * The guard knows every block that these calls made: what takes a `ptr` wants one of them, alive, and throws
 * `ERR_MEMPROBE_NOT_OWNED` otherwise. A double free is an exception. A block with a view is freed all the same, its
 * views detached; EBUSY while another thread has a view of it or uses it.
 */
import { native } from '../native.js';

/** Throws ENOMEM. Size 0 gives a block of its own. @see malloc(3) */
export const malloc = native.libc.malloc;

/** Zeroed. Throws ENOMEM, also where the product overflows. @see calloc(3) */
export const calloc = native.libc.calloc;

/** `realloc(NULL, n)` is malloc; `realloc(ptr, 0)` frees and returns 0n. On ENOMEM `ptr` is as it was. @see realloc(3) */
export const realloc = native.libc.realloc;

/** realloc(ptr, nmemb * size), ENOMEM where the product overflows. glibc 2.26. @see reallocarray(3) */
export const reallocarray = native.libc.reallocarray;

/** `free(NULL)` does nothing. @see free(3) */
export const free = native.libc.free;

/** Throws EINVAL (`alignment` is no power of two or no multiple of 8), ENOMEM. @see posix_memalign(3) */
export const posix_memalign = native.libc.posix_memalign;

/** Throws ENOMEM; EINVAL for an alignment that is no power of two (glibc 2.38). @see aligned_alloc(3) */
export const aligned_alloc = native.libc.aligned_alloc;

/** Obsolete; glibc rounds `alignment` up to a power of two. @see memalign(3) */
export const memalign = native.libc.memalign;

/** Page-aligned. Obsolete. @see valloc(3) */
export const valloc = native.libc.valloc;

/** Page-aligned, and whole pages. Obsolete. @see pvalloc(3) */
export const pvalloc = native.libc.pvalloc;

/** Bytes that may be used, at least what was asked for; 0 for NULL. @see malloc_usable_size(3) */
export const malloc_usable_size = native.libc.malloc_usable_size;
