/** Access to memory itself. */
import { native } from '../native.js';

/**
 * A copy of `length` bytes at `addr`, which may be any address of this process: EFAULT where not all of it is readable,
 * never a signal. More than 4 GiB at a time throw ERR_OUT_OF_RANGE. @see process_vm_readv(2)
 */
export const peek = native.libc.peek;

/**
 * Stores `bytes` at `addr`, inside memory that memprobe created (`ERR_MEMPROBE_NOT_OWNED` otherwise). EFAULT where it is
 * not writable. @see process_vm_writev(2)
 */
export const poke = native.libc.poke;

/**
 * The memory itself as an ArrayBuffer, without a copy: memory that memprobe created, readable and writable (EACCES
 * otherwise). Asked again for the same bytes it returns the same buffer, which lives as long as the memory: of a large
 * mapping take one view, and windows of it with `subarray`. It is detached, and every typed array on it has length 0, when the memory is freed, unmapped, moved or
 * protected. An asynchronous call of others that still uses the view then (fs, zlib, crypto) harms nobody: the memory goes at
 * once, its addresses stay reserved until the garbage collector has taken the detached buffer. `ERR_OUT_OF_RANGE` for more than `buffer.constants.MAX_LENGTH` (4 GiB on Node 20). Electron forbids such
 * buffers: `ERR_MEMPROBE_UNSUPPORTED` there.
 */
export const view = native.libc.view;

/**
 * Calls `fn` with `size` bytes on the native stack and their address, and returns what it returns. The view is detached
 * when `fn` returns or throws. `ERR_OUT_OF_RANGE` for more than is left of V8's part of the stack (984 KiB, less what
 * `fn` itself may need: some 700 KB outside deep recursion). Node 22's `ArrayBuffer.prototype.transfer` can
 * take the memory out of reach: that is `ERR_MEMPROBE_VIEW_MOVED`, and what it was moved to must not be touched.
 * @see alloca(3)
 */
export const alloca = native.libc.alloca;
