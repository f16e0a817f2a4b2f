/// <reference types="node" preserve="true" />
/**
 * `memprobe/heap`: heaps in files that survive, and in memory. header.ts says what lies where, repair.ts why a crash does no
 * harm.
 */
export { HeapError, HeapSystemError } from '../allocator/errors.js';
export { HeapBusyError, HeapFileError, type HeapFileErrorCode } from './errors.js';
export { Heap, type HeapAttachOptions, type HeapCreateOptions } from './heap.js';
export type { HeapMode } from './open.js';
export type { Root, Roots } from './roots.js';
export type { HeapStats } from './survey.js';
