/** What of `memprobe/allocator` needs no C library: the package's entry for bundlers that build for browsers. */
import type { HeapOptions } from './backing.js';
import { TsAllocator } from './ts_allocator.js';

export type { GrowingMemory, HeapOptions, Room } from './backing.js';
export { HeapError, type HeapErrorCode, HeapSystemError } from './errors.js';
export { type Allocator, type HeapBlock, type HeapInfo, M_TOP_PAD } from './interface.js';
export { TsAllocator } from './ts_allocator.js';

/** The allocator in TypeScript: a browser has no other. */
export function createAllocator(options: HeapOptions = {}): TsAllocator {
  return new TsAllocator(options);
}
