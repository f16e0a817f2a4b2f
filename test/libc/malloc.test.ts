import koffi from 'koffi';
import { describe, expect, test } from 'vitest';
import * as libc from '../../lib/libc/index.js';
import { expectNotOwned, expectRangeError, expectThrows, expectTypeError } from '../helpers/errors.js';
import { libcText } from '../helpers/witness.js';

const { malloc, calloc, realloc, reallocarray, free, malloc_usable_size, peek, poke, view } = libc;

const c = koffi.load(null);
const usable = c.func('size_t malloc_usable_size(uintptr_t)');

const alignment = (addr: bigint): bigint => addr & -addr;

describe('malloc', () => {
  test('gives blocks that can be written, aligned to 16, of at least that size', () => {
    for (const size of [0, 1, 24, 1000, 1 << 20]) {
      const block = malloc(size);
      expect(alignment(block)).toBeGreaterThanOrEqual(16n);
      expect(malloc_usable_size(block)).toBeGreaterThanOrEqual(size);
      expect(malloc_usable_size(block)).toBe(usable(block));
      poke(block, new Uint8Array(size).fill(5));
      expect(Buffer.from(peek(block, size)).equals(new Uint8Array(size).fill(5))).toBe(true);
      free(block);
    }
  });

  test('too much is ENOMEM', () => {
    expectThrows('ENOMEM', 'malloc', () => malloc(Number.MAX_SAFE_INTEGER));
    expectThrows('ENOMEM', 'calloc', () => calloc(2 ** 40, 2 ** 40));
    expectThrows('ENOMEM', 'reallocarray', () => reallocarray(0n, 2 ** 40, 2 ** 40));
    expectThrows('ENOMEM', 'valloc', () => libc.valloc(2 ** 52));
    expectThrows('ENOMEM', 'pvalloc', () => libc.pvalloc(2 ** 52));
  });

  test('bad sizes are named', () => {
    for (const bad of [-1, 0.5, Number.NaN, Infinity, 2 ** 53]) expectRangeError('size', () => malloc(bad));
    for (const bad of [1n, '1', null, undefined]) {
      expectTypeError('size', () => Reflect.apply(malloc, undefined, [bad]));
    }
    expectRangeError('nmemb', () => calloc(-1, 1));
    expectTypeError('ptr', () => Reflect.apply(free, undefined, [0]));
    expectTypeError('ptr', () => Reflect.apply(realloc, undefined, [1, 1]));
    expectRangeError('ptr', () => free(2n ** 64n));
  });
});

test('calloc gives zeroes where malloc had left something', () => {
  const dirty = Array.from({ length: 50 }, () => malloc(400));
  for (const block of dirty) poke(block, new Uint8Array(400).fill(0xff));
  dirty.forEach(free);
  const clean = Array.from({ length: 50 }, () => calloc(4, 100));
  for (const block of clean) expect(peek(block, 400)).toEqual(new Uint8Array(400));
  clean.forEach(free);
});

describe('realloc', () => {
  test('keeps the contents, of NULL is malloc, to 0 frees and returns 0n', () => {
    const block = realloc(0n, 16);
    poke(block, Buffer.from('sixteen letters.'));
    const larger = realloc(block, 1 << 20);
    expect(Buffer.from(peek(larger, 16)).toString()).toBe('sixteen letters.');
    expect(realloc(larger, 0)).toBe(0n);
    expectNotOwned('free', () => free(larger));
    const array = reallocarray(0n, 10, 10);
    expect(malloc_usable_size(array)).toBeGreaterThanOrEqual(100);
    expect(reallocarray(array, 10, 0)).toBe(0n);
  });

  test('of NULL to 0 is a block of its own', () => {
    const block = realloc(0n, 0);
    expect(block).not.toBe(0n);
    free(block);
  });

  test('that fails leaves the block as it was, and owned', () => {
    const block = malloc(100);
    poke(block, Buffer.from('as it was'));
    expectThrows('ENOMEM', 'realloc', () => realloc(block, 2 ** 52));
    expectThrows('ENOMEM', 'reallocarray', () => reallocarray(block, 2 ** 40, 2 ** 40));
    expect(Buffer.from(peek(block, 9)).toString()).toBe('as it was');
    free(block);
    expectNotOwned('free', () => free(block));
  });

  test('of a block that moved takes the old address out of the books', () => {
    const block = malloc(64);
    const moved = realloc(block, 1 << 28); // more than may be free behind it
    expect(moved).not.toBe(block);
    expectNotOwned('free', () => free(block));
    free(moved);
  });
});

describe('aligned blocks', () => {
  test.each([
    ['posix_memalign', 4096],
    ['aligned_alloc', 256],
    ['memalign', 65536],
  ] as const)('%s aligns', (name, wanted) => {
    const block = libc[name](wanted, 2 * wanted);
    expect(block % BigInt(wanted)).toBe(0n);
    poke(block, new Uint8Array(2 * wanted));
    free(block);
  });

  test('valloc gives pages, pvalloc whole ones', () => {
    const block = libc.valloc(10);
    const whole = libc.pvalloc(4097);
    expect([block % 4096n, whole % 4096n]).toEqual([0n, 0n]);
    expect(malloc_usable_size(whole)).toBeGreaterThanOrEqual(8192);
    free(block);
    free(whole);
  });

  test('posix_memalign returns its error, which throws whatever errno says', () => {
    expectThrows('EINVAL', 'posix_memalign', () => libc.posix_memalign(3, 10));
    expectThrows('EINVAL', 'posix_memalign', () => libc.posix_memalign(4, 10));
    expectThrows('EINVAL', 'posix_memalign', () => libc.posix_memalign(0, 10));
    expectThrows('ENOMEM', 'posix_memalign', () => libc.posix_memalign(16, 2 ** 52));
    expectThrows('ENOMEM', 'memalign', () => libc.memalign(16, 2 ** 52));
    expectThrows('ENOMEM', 'aligned_alloc', () => libc.aligned_alloc(16, 2 ** 52));
  });
});

describe('the guard of blocks', () => {
  const foreign = (): [string, bigint][] => {
    const block = malloc(4096);
    return [
      ['inside a block', block + 16n],
      ['misaligned', block + 1n],
      ['the middle of a block', block + 2048n],
      ['text of the C library', libcText().start + 4096n],
      ['a block that someone else allocated', BigInt(c.func('uintptr_t malloc(size_t)')(64))],
      ['the highest address', 2n ** 64n - 16n],
      ['an address beyond 48 bits', 2n ** 48n],
      ['a low address', 16n],
    ];
  };

  test('refuses every pointer that is none of its blocks', () => {
    for (const [, ptr] of foreign()) {
      expectNotOwned('free', () => free(ptr));
      expectNotOwned('realloc', () => realloc(ptr, 10));
      expectNotOwned('reallocarray', () => reallocarray(ptr, 1, 10));
      expectNotOwned('malloc_usable_size', () => malloc_usable_size(ptr));
    }
    free(0n);
    expect(malloc_usable_size(0n)).toBe(0);
  });

  test('a pointer into the stack is refused too', () => {
    libc.alloca(64, (_, addr) => expectNotOwned('free', () => free(addr & ~15n)));
  });

  test('a double free throws, at once and after thousands of others', () => {
    const blocks = Array.from({ length: 5000 }, (_, i) => malloc(i % 2048));
    blocks.forEach(free);
    for (const block of blocks) expectNotOwned('free', () => free(block));
    const mapped = malloc(1 << 21);
    free(mapped);
    expectNotOwned('free', () => free(mapped));
    expectNotOwned('malloc_usable_size', () => malloc_usable_size(mapped));
  });

  test('free and realloc detach every view of the block', () => {
    const block = malloc(100);
    const [whole, part] = [new Uint8Array(view(block, 100)), new Uint8Array(view(block + 10n, 20))];
    const moved = realloc(block, 200);
    expect([whole.length, part.length]).toEqual([0, 0]);
    const again = new Uint8Array(view(moved, 200));
    free(moved);
    expect(again.length).toBe(0);
    expectNotOwned('free', () => free(moved));
  });

  test('a view may cover what is usable, and no byte more', () => {
    const block = malloc(100);
    const size = malloc_usable_size(block);
    expect(view(block, size).byteLength).toBe(size);
    expectNotOwned('view', () => view(block, size + 1));
    expectNotOwned('view', () => view(block - 1n, 2));
    expectNotOwned('poke', () => poke(block, new Uint8Array(size + 1)));
    free(block);
  });
});
