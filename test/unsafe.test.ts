import koffi from 'koffi';
import { describe, expect, test } from 'vitest';
import * as libc from '../lib/libc/index.js';
import * as unsafe from '../lib/unsafe.js';
import { run, said } from './helpers/child.js';
import { expectNotOwned, expectRangeError, expectThrows, expectTypeError } from './helpers/errors.js';
import { ANON, PAGE, RW } from './helpers/memory.js';
import { mappingAt } from './helpers/witness.js';

const c = koffi.load(null);

describe('memprobe/unsafe', () => {
  test('frees what somebody else allocated', () => {
    const block = BigInt(c.func('uintptr_t malloc(size_t)')(100));
    expectNotOwned('free', () => libc.free(block));
    expect(unsafe.malloc_usable_size(block)).toBe(c.func('size_t malloc_usable_size(uintptr_t)')(block));
    const larger = unsafe.realloc(block, 5000);
    new Uint8Array(unsafe.view(larger, 5000)).fill(1);
    unsafe.poke(larger, new Uint8Array(5000));
    unsafe.free(larger);
  });

  test('unmaps, moves and protects what somebody else mapped', () => {
    const made = c.func('uintptr_t mmap(uintptr_t, size_t, int, int, int, long)');
    const addr = BigInt(made(0, PAGE, RW, ANON, -1, 0));
    expectNotOwned('munmap', () => libc.munmap(addr, PAGE));
    unsafe.mprotect(addr, PAGE, libc.PROT_READ);
    expect(mappingAt(addr)?.perms).toBe('r--p');
    const moved = unsafe.mremap(addr, PAGE, 2 * PAGE, libc.MREMAP_MAYMOVE);
    unsafe.madvise(moved, PAGE, libc.MADV_DONTNEED);
    unsafe.munmap(moved, 2 * PAGE);
    expect(() => unsafe.peek(moved, 1)).toThrow(/EFAULT/);
  });

  test('what it makes is unknown to the guard', () => {
    const addr = unsafe.mmap(0n, PAGE, RW, ANON, -1, 0);
    const block = unsafe.malloc(10);
    expectNotOwned('munmap', () => libc.munmap(addr, PAGE));
    expectNotOwned('view', () => libc.view(addr, PAGE));
    expectNotOwned('free', () => libc.free(block));
    unsafe.munmap(addr, PAGE);
    unsafe.free(block);
  });

  test('checks its arguments and reports the kernel’s errors all the same', () => {
    expectTypeError('ptr', () => Reflect.apply(unsafe.free, undefined, [1]));
    expectRangeError('length', () => unsafe.munmap(0n, -1));
    expectTypeError('length', () => Reflect.apply(unsafe.view, undefined, [1n]));
    expectThrows('EINVAL', 'munmap', () => unsafe.munmap(1n, PAGE));
    expectThrows('EFAULT', 'poke', () => unsafe.poke(1n, new Uint8Array(1)));
    expectThrows('ENOMEM', 'malloc', () => unsafe.malloc(2 ** 52));
  });

  test('lets through what kills: a double free aborts, where memprobe/libc throws', async () => {
    // Of a size that stays in the thread's cache, where glibc is sure to find it.
    expect(
      (await run(`const p = unsafe.malloc(1000); unsafe.free(p); unsafe.free(p); unsafe.free(p);`)).signal,
    ).toBe('SIGABRT');
    expect(
      await said(`const p = libc.malloc(5000); libc.free(p); say(outcome(() => libc.free(p)));`),
    ).toEqual(['ERR_MEMPROBE_NOT_OWNED']);
    expect((await run(`new Uint8Array(unsafe.view(4096n, 16))[0] = 1;`)).signal).toBe('SIGSEGV');
  });
});
