// What replay.mjs replays on. `wide`: pointers do not fit in 32 bits.

const SIZE = 2 ** 28;

/** The highest end of a block that @thi.ng/malloc or a wasm allocator gave out. */
const watching = (heap, usable) => {
  let peak = 0;
  const seen = (ptr, size) => {
    if (ptr + usable(size) > peak) peak = ptr + usable(size);
    return ptr;
  };
  return {
    malloc: (size) => seen(heap.malloc(size), size),
    realloc: (ptr, size) => seen(heap.realloc(ptr, size), size),
    free: heap.free,
    get peak() {
      return peak;
    },
  };
};

export const contenders = {
  async nothing() {
    return { heap: { malloc: (size) => size, realloc: (ptr, size) => size, free: () => {}, peak: 0 } };
  },

  async memprobe() {
    const { TsAllocator } = await import('../../../dist/allocator/ts_allocator.js');
    return { heap: new TsAllocator({ buffer: new ArrayBuffer(SIZE) }) };
  },

  async 'memprobe, 16'() {
    const { TsAllocator } = await import('../../../dist/allocator/ts_allocator.js');
    return { heap: new TsAllocator({ buffer: new ArrayBuffer(SIZE), alignment: 16 }) };
  },

  async '@thi.ng/malloc'() {
    const { MemPool } = await import('@thi.ng/malloc');
    const pool = new MemPool({ buf: new ArrayBuffer(SIZE), align: 8 });
    const heap = {
      malloc: (n) => pool.malloc(n),
      realloc: (p, n) => pool.realloc(p, n),
      free: (p) => pool.free(p),
    };
    return { heap: watching(heap, (size) => size) };
  },

  async 'koffi to glibc'() {
    const { default: koffi } = await import('koffi');
    const libc = koffi.load('libc.so.6');
    const malloc = libc.func('uintptr_t malloc(size_t size)');
    const realloc = libc.func('uintptr_t realloc(uintptr_t ptr, size_t size)');
    const free = libc.func('void free(uintptr_t ptr)');
    return { heap: { malloc, realloc, free, peak: 0 }, wide: true };
  },
};
