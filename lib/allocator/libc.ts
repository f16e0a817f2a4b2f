/** The C library's malloc as one more Allocator, for comparison; it takes the addon. */
import * as libc from '../libc/index.js';
import { unsupported } from './errors.js';
import type { Allocator, HeapBlock, HeapInfo } from './interface.js';

/** Why LibcAllocator can't be had here; undefined where it can. */
export function whyNoLibc(): Error | undefined {
  try {
    libc.free(libc.malloc(0));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : unsupported(String(error));
  }
}

/** The null pointer where `allocate` throws ENOMEM. */
function orNull(allocate: () => bigint): bigint {
  try {
    return allocate();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOMEM') return 0n;
    throw error;
  }
}

/** The process's own heap. Pointers are addresses; `peek`, `poke` and `view` of memprobe/libc reach what they point to. */
export class LibcAllocator implements Allocator<bigint> {
  readonly kind = 'libc';

  /** Throws `ERR_MEMPROBE_UNSUPPORTED` where the addon does not load. */
  constructor() {
    const why = whyNoLibc();
    if (why !== undefined) throw why;
  }

  malloc(size: number): bigint {
    return orNull(() => libc.malloc(size));
  }

  calloc(nmemb: number, size: number): bigint {
    return orNull(() => libc.calloc(nmemb, size));
  }

  realloc(ptr: bigint, size: number): bigint {
    return orNull(() => libc.realloc(ptr, size));
  }

  reallocarray(ptr: bigint, nmemb: number, size: number): bigint {
    return orNull(() => libc.reallocarray(ptr, nmemb, size));
  }

  free(ptr: bigint): void {
    libc.free(ptr);
  }

  memalign(alignment: number, size: number): bigint {
    return orNull(() => libc.memalign(alignment, size));
  }

  posix_memalign(alignment: number, size: number): bigint {
    return libc.posix_memalign(alignment, size);
  }

  aligned_alloc(alignment: number, size: number): bigint {
    return orNull(() => libc.aligned_alloc(alignment, size));
  }

  valloc(size: number): bigint {
    return orNull(() => libc.valloc(size));
  }

  pvalloc(size: number): bigint {
    return orNull(() => libc.pvalloc(size));
  }

  malloc_usable_size(ptr: bigint): number {
    return libc.malloc_usable_size(ptr);
  }

  malloc_trim(pad: number): 0 | 1 {
    return libc.malloc_trim(pad) === 0 ? 0 : 1;
  }

  /** Of the whole process. */
  mallinfo2(): HeapInfo {
    return libc.mallinfo2();
  }

  mallopt(param: number, value: number): 0 | 1 {
    return libc.mallopt(param, value) === 0 ? 0 : 1;
  }

  /** Always throws: glibc offers it no more. */
  malloc_get_state(): never {
    throw unsupported('glibc cannot save its heap since 2.25');
  }

  /** Always throws: glibc offers it no more. */
  malloc_set_state(): never {
    throw unsupported('glibc cannot take up a saved heap');
  }

  /** Nothing to do: glibc checks what it touches, and aborts; `mcheck` of memprobe/libc does more. */
  check(): void {}

  /** Always throws: `explain()` walks the process's heap from outside. */
  walk(): IterableIterator<HeapBlock<bigint>> {
    throw unsupported('glibc has no walk over its heap');
  }
}
