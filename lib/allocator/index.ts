/**
 * `memprobe/allocator`: malloc and its family in TypeScript over an ArrayBuffer, which needs no addon and runs in a browser
 * (browser.ts), and the C library's own behind the same interface.
 *
 * The algorithm, file by file: layout.ts (what lies where), bins.ts (free blocks by size, two-level segregated fit), cache.ts
 * (blocks just freed), heap.ts (cutting, merging, coalescing the cache), ts_allocator.ts (C's semantics), walk.ts (the proof
 * that a heap is whole).
 */
import type { HeapOptions } from './backing.js';
import { LibcAllocator, whyNoLibc } from './libc.js';
import { TsAllocator } from './ts_allocator.js';

export * from './browser.js';
export { LibcAllocator } from './libc.js';

/** The C library's allocator, or where that can't be had the one in TypeScript, with `options`; `kind` says which it is. */
export function createAllocator(options: HeapOptions = {}): LibcAllocator | TsAllocator {
  return whyNoLibc() === undefined ? new LibcAllocator() : new TsAllocator(options);
}
