/** What every allocator of this package can do, by C's names. */

/** glibc's struct mallinfo2, bytes and counts. @see mallinfo2(3) */
export interface HeapInfo {
  /** Bytes that the heap spans, its state included. */
  arena: number;
  /** Free chunks that are coalesced, the top among them. */
  ordblks: number;
  /** Chunks in the cache: free, not coalesced. */
  smblks: number;
  hblks: number;
  hblkhd: number;
  usmblks: number;
  /** Bytes in the cache. */
  fsmblks: number;
  /** Bytes in use, overhead included. */
  uordblks: number;
  /** Free bytes, the cache's among them. */
  fordblks: number;
  /** Free bytes at the top. */
  keepcost: number;
}

export interface HeapBlock<Pointer> {
  /** What malloc returned, or would return. */
  ptr: Pointer;
  /** Bytes that the block takes, its header included. */
  size: number;
  state: 'used' | 'cached' | 'free';
}

/**
 * One heap. Sizes are bytes: what is no integer from 0 on throws ERR_INVALID_ARG_TYPE or ERR_OUT_OF_RANGE. Where C returns NULL
 * with ENOMEM, the null pointer is returned. `Pointer` is a number for heaps in a buffer, a bigint for real addresses.
 */
export interface Allocator<Pointer extends number | bigint> {
  /** A block of at least `size` bytes, of undefined content; of its own for 0 too. */
  malloc(size: number): Pointer;
  /** Zeroed; null where the product overflows. */
  calloc(nmemb: number, size: number): Pointer;
  /** Grows in place where it can, otherwise moves the content; null, and `ptr` as it was, where there is no room. `realloc(ptr, 0)` frees. */
  realloc(ptr: Pointer, size: number): Pointer;
  reallocarray(ptr: Pointer, nmemb: number, size: number): Pointer;
  /** Does nothing for null. Throws for what is no live block. */
  free(ptr: Pointer): void;
  /** `alignment` is rounded up to a power of two. */
  memalign(alignment: number, size: number): Pointer;
  /** Throws EINVAL (`alignment` no power of two or no multiple of 8) and ENOMEM: what C returns as its result. */
  posix_memalign(alignment: number, size: number): Pointer;
  /** Throws EINVAL for an alignment that is no power of two. */
  aligned_alloc(alignment: number, size: number): Pointer;
  /** Page-aligned. */
  valloc(size: number): Pointer;
  /** Page-aligned, whole pages. */
  pvalloc(size: number): Pointer;
  /** Bytes that may be used; 0 for null. */
  malloc_usable_size(ptr: Pointer): number;
  /** Gives back what is free at the top, but `pad` bytes. 1: some was, 0: none. */
  malloc_trim(pad: number): 0 | 1;
  mallinfo2(): HeapInfo;
  /** 1 if the parameter was set, 0 if not. */
  mallopt(param: number, value: number): 0 | 1;
  /** The whole heap, to be taken up again by malloc_set_state. */
  malloc_get_state(): Uint8Array;
  /** Puts the heap back where a state was taken: every pointer of then is valid again, every later one is not. */
  malloc_set_state(state: Uint8Array): 0;
  /** Proves the heap's invariants; throws with the first broken block. */
  check(): void;
  /** Every block, by address. The heap must not change meanwhile. */
  walk(): IterableIterator<HeapBlock<Pointer>>;
}

/** mallopt: bytes that the heap grows by beyond what is needed. */
export const M_TOP_PAD = -2;
