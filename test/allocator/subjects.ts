/** The implementations that the conformance suite runs over, each with a way to its memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LibcAllocator, TsAllocator, type Allocator } from '../../lib/allocator/index.js';
import { Heap } from '../../lib/heap/index.js';
import { peek, poke } from '../../lib/libc/index.js';

/** One allocator, its pointers as bigints whatever they are to it. */
export interface Subject {
  readonly allocator: Allocator<bigint>;
  readonly alignment: number;
  read(ptr: bigint, length: number): Uint8Array;
  write(ptr: bigint, bytes: Uint8Array): void;
  /** At the end. */
  close?(): void;
}

/** An allocator whose pointers are offsets, with bigints for them: the suite is written once. */
function widened(inner: Allocator<number>): Allocator<bigint> {
  return {
    malloc: (size) => BigInt(inner.malloc(size)),
    calloc: (nmemb, size) => BigInt(inner.calloc(nmemb, size)),
    realloc: (ptr, size) => BigInt(inner.realloc(Number(ptr), size)),
    reallocarray: (ptr, nmemb, size) => BigInt(inner.reallocarray(Number(ptr), nmemb, size)),
    free: (ptr) => inner.free(Number(ptr)),
    memalign: (alignment, size) => BigInt(inner.memalign(alignment, size)),
    posix_memalign: (alignment, size) => BigInt(inner.posix_memalign(alignment, size)),
    aligned_alloc: (alignment, size) => BigInt(inner.aligned_alloc(alignment, size)),
    valloc: (size) => BigInt(inner.valloc(size)),
    pvalloc: (size) => BigInt(inner.pvalloc(size)),
    malloc_usable_size: (ptr) => inner.malloc_usable_size(Number(ptr)),
    malloc_trim: (pad) => inner.malloc_trim(pad),
    mallinfo2: () => inner.mallinfo2(),
    mallopt: (param, value) => inner.mallopt(param, value),
    malloc_get_state: () => inner.malloc_get_state(),
    malloc_set_state: (state) => inner.malloc_set_state(state),
    check: () => inner.check(),
    *walk() {
      for (const { ptr, size, state } of inner.walk()) yield { ptr: BigInt(ptr), size, state };
    },
  };
}

function typescript(alignment: 8 | 16): Subject {
  const inner = new TsAllocator({ alignment, limit: 2 ** 28 });
  return {
    allocator: widened(inner),
    alignment,
    read: (ptr, length) => new Uint8Array(inner.buffer, Number(ptr), length).slice(),
    write: (ptr, bytes) => new Uint8Array(inner.buffer).set(bytes, Number(ptr)),
  };
}

function heap(sync: boolean): Subject {
  const directory = mkdtempSync(join(tmpdir(), 'memprobe-conformance-'));
  const inner = Heap.create(join(directory, 'heap'), { limit: 2 ** 28, sync });
  return {
    allocator: widened(inner),
    alignment: 8,
    read: (ptr, length) => inner.view(Number(ptr), length).slice(),
    write: (ptr, bytes) => inner.view(Number(ptr), bytes.length).set(bytes),
    close: () => {
      inner.close();
      rmSync(directory, { recursive: true });
    },
  };
}

export const subjects: readonly [name: string, make: () => Subject][] = [
  ['TsAllocator', () => typescript(8)],
  ['TsAllocator aligned to 16', () => typescript(16)],
  ['LibcAllocator', () => ({ allocator: new LibcAllocator(), alignment: 16, read: peek, write: poke })],
  ['Heap in a file', () => heap(false)],
  ['Heap in a file, written through', () => heap(true)],
];
