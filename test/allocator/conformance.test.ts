import { afterAll, describe, expect, it } from 'vitest';
import { subjects } from './subjects.js';

const pattern = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 255);

/** Quicker than toEqual. */
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

describe.each(subjects)('%s, as C and glibc have it', (_, make) => {
  const { allocator: a, alignment, read, write, close } = make();
  afterAll(() => close?.());

  it('gives aligned blocks that hold what was asked for and do not overlap', () => {
    const blocks = Array.from({ length: 200 }, (_, i) => ({ ptr: a.malloc(i * 7), size: i * 7 }));
    for (const { ptr, size } of blocks) write(ptr, pattern(size, size));
    for (const { ptr, size } of blocks) {
      expect(ptr % BigInt(alignment)).toBe(0n);
      expect(a.malloc_usable_size(ptr)).toBeGreaterThanOrEqual(size);
      expect(same(read(ptr, size), pattern(size, size))).toBe(true);
      a.free(ptr);
    }
    a.check();
  });

  it('gives a block of its own for size 0', () => {
    const [one, two] = [a.malloc(0), a.malloc(0)];
    expect(one).not.toBe(0n);
    expect(two).not.toBe(one);
    a.free(one);
    a.free(two);
  });

  it('frees null without complaint, and null has no usable size', () => {
    expect(() => a.free(0n)).not.toThrow();
    expect(a.malloc_usable_size(0n)).toBe(0);
  });

  it('calloc zeroes memory that was dirty', () => {
    const dirty = a.malloc(500);
    write(dirty, pattern(500, 1));
    a.free(dirty);
    const ptr = a.calloc(50, 10);
    expect(read(ptr, 500)).toEqual(new Uint8Array(500));
    a.free(ptr);
  });

  it('calloc and reallocarray of an overflowing product give null, and the block stays', () => {
    const ptr = a.malloc(10);
    write(ptr, pattern(10, 5));
    expect(a.calloc(2 ** 40, 2 ** 40)).toBe(0n);
    expect(a.reallocarray(ptr, 2 ** 40, 2 ** 40)).toBe(0n);
    expect(read(ptr, 10)).toEqual(pattern(10, 5));
    a.free(ptr);
  });

  it('gives null for more than there is, and goes on working', () => {
    expect(a.malloc(2 ** 50)).toBe(0n);
    const ptr = a.malloc(100);
    expect(a.realloc(ptr, 2 ** 50)).toBe(0n);
    a.free(ptr);
    a.check();
  });

  it.each([1, 12, 13, 100, 1020, 5000, 70_000])(
    'realloc keeps content from %i bytes up and down again',
    (size) => {
      let ptr = a.malloc(size);
      write(ptr, pattern(size, 3));
      const wall = a.malloc(1);
      for (const next of [size * 3, size * 10, size * 2, Math.ceil(size / 2)]) {
        ptr = a.realloc(ptr, next);
        const kept = Math.min(size, next);
        expect(same(read(ptr, kept), pattern(kept, 3))).toBe(true);
        expect(a.malloc_usable_size(ptr)).toBeGreaterThanOrEqual(next);
      }
      a.free(wall);
      a.free(ptr);
      a.check();
    },
  );

  it('realloc(null, n) is malloc, realloc(p, 0) is free', () => {
    const ptr = a.realloc(0n, 20);
    expect(a.malloc_usable_size(ptr)).toBeGreaterThanOrEqual(20);
    expect(a.realloc(ptr, 0)).toBe(0n);
    expect(() => a.free(ptr)).toThrow();
  });

  it('aligns to every power of two up to a MiB', () => {
    for (let alignment = 8; alignment <= 2 ** 20; alignment *= 2) {
      for (const ptr of [
        a.memalign(alignment, 40),
        a.posix_memalign(alignment, 40),
        a.aligned_alloc(alignment, 40),
      ]) {
        expect(ptr % BigInt(alignment)).toBe(0n);
        expect(a.malloc_usable_size(ptr)).toBeGreaterThanOrEqual(40);
        a.free(ptr);
      }
    }
    a.check();
  });

  it('posix_memalign says EINVAL for what is no power of two, or below 8', () => {
    expect(() => a.posix_memalign(24, 8)).toThrow(expect.objectContaining({ code: 'EINVAL', errno: -22 }));
    expect(() => a.posix_memalign(4, 8)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('memalign rounds its alignment up, valloc and pvalloc are of pages', () => {
    const pointers = [a.memalign(48, 10), a.valloc(10), a.pvalloc(10)] as const;
    expect(pointers[0] % 64n).toBe(0n);
    expect(pointers[1] % 4096n).toBe(0n);
    expect(pointers[2] % 4096n).toBe(0n);
    expect(a.malloc_usable_size(pointers[2])).toBeGreaterThanOrEqual(4096);
    for (const ptr of pointers) a.free(ptr);
  });

  it('says a second free, at once and after the neighbours were freed', () => {
    const [one, two, three] = [a.malloc(6000), a.malloc(6000), a.malloc(6000)];
    a.free(two);
    expect(() => a.free(two)).toThrow();
    a.free(one);
    a.free(three);
    for (const ptr of [one, two, three]) expect(() => a.free(ptr)).toThrow();
    a.check();
  });

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'refuses the size %d with ERR_OUT_OF_RANGE',
    (size) => {
      const refused = expect.objectContaining({
        code: 'ERR_OUT_OF_RANGE',
        message: expect.stringContaining('size'),
      });
      expect(() => a.malloc(size)).toThrow(refused);
      expect(() => a.calloc(1, size)).toThrow(refused);
      expect(() => a.memalign(64, size)).toThrow(refused);
    },
  );

  it('mallinfo2 sees what is in use', () => {
    const before = a.mallinfo2().uordblks;
    const pointers = Array.from({ length: 500 }, () => a.malloc(100_000));
    // In glibc's heap other threads free meanwhile.
    expect(a.mallinfo2().uordblks - before).toBeGreaterThan(25_000_000);
    for (const ptr of pointers) a.free(ptr);
  });
});
