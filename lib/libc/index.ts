/**
 * The C library's memory calls under C's own names: one function for each, the same arguments in the same order, no more
 * than one native call. What would destroy the process is refused; `memprobe/unsafe` does not refuse.
 *
 * Four regular changes: a result that C returns through a pointer is returned; a length that only describes an array is
 * taken from it; a C string is a string; a call that returns 0 or -1 returns nothing and throws a Node system error
 * `{ code, errno, syscall, message }`. Addresses are bigints, lengths are safe integers in bytes.
 */
export * from '../address.js';
export * from './brk.js';
export * from './hooks.js';
export * from './madvise.js';
export * from './mallinfo.js';
export * from './malloc.js';
export * from './memory.js';
export * from './mcheck.js';
export * from './mempolicy.js';
export * from './mincore.js';
export * from './mlock.js';
export * from './mmap.js';
export * from './mtrace.js';
export * from './page.js';
