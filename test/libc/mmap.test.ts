import { closeSync, ftruncateSync, readFileSync, statSync, writeSync } from 'node:fs';
import koffi from 'koffi';
import { describe, expect, test } from 'vitest';
import * as libc from '../../lib/libc/index.js';
import { isRoot, said } from '../helpers/child.js';
import { expectNotOwned, expectRangeError, expectThrows, expectTypeError } from '../helpers/errors.js';
import { ANON, anonymous, closing, file, hole, PAGE, page, RW } from '../helpers/memory.js';
import { mappingAt, smaps } from '../helpers/witness.js';

const { mmap, munmap, mremap, mprotect, msync, memfd_create, mseal, view, peek, poke } = libc;

describe('mmap', () => {
  test('makes the mapping that /proc/self/maps shows', () => {
    const addr = anonymous(3, libc.PROT_READ);
    expect(mappingAt(addr)?.perms).toBe('r--p');
    expect(mappingAt(addr + BigInt(3 * PAGE - 1))?.perms).toBe('r--p');
    expect(peek(addr, 3 * PAGE)).toEqual(new Uint8Array(3 * PAGE));
  });

  test('maps a file from an offset, as a number and as a bigint', () => {
    const { fd, path } = file(3);
    const bytes = readFileSync(path).subarray(PAGE, 2 * PAGE);
    for (const offset of [PAGE, BigInt(PAGE)]) {
      const addr = mmap(0n, PAGE, libc.PROT_READ, libc.MAP_SHARED, fd, offset);
      expect(mappingAt(addr)?.path).toBe(path);
      expect(Buffer.from(peek(addr, PAGE)).equals(bytes)).toBe(true);
      munmap(addr, PAGE);
    }
  });

  test('takes offsets beyond 4 GiB', () => {
    const { fd } = file(0);
    const offset = 5 * 2 ** 30;
    writeSync(fd, 'far out', offset);
    for (const at of [offset, BigInt(offset)]) {
      const addr = mmap(0n, PAGE, libc.PROT_READ, libc.MAP_SHARED, fd, at);
      expect(Buffer.from(peek(addr, 7)).toString()).toBe('far out');
      munmap(addr, PAGE);
    }
  });

  test('hands a negative offset to the kernel, which refuses it', () => {
    const { fd } = file(1);
    for (const offset of [-PAGE, -BigInt(PAGE), -(2n ** 63n)]) {
      expect(() => mmap(0n, PAGE, RW, libc.MAP_SHARED, fd, offset)).toThrow(/EOVERFLOW|EINVAL/);
    }
  });

  test('writes of a shared mapping reach the file, of a private one they do not', () => {
    const { fd, path } = file(1);
    const shared = mmap(0n, PAGE, RW, libc.MAP_SHARED, fd, 0);
    const mine = mmap(0n, PAGE, RW, libc.MAP_PRIVATE, fd, 0);
    poke(shared, Buffer.from('shared'));
    poke(mine, Buffer.from('mine..'));
    msync(shared, PAGE, libc.MS_SYNC);
    expect(readFileSync(path).subarray(0, 6).toString()).toBe('shared');
    munmap(shared, PAGE);
    munmap(mine, PAGE);
  });

  test.runIf(isRoot)('at address 0 is a success, 0n, for root', async () => {
    const at0 = `libc.mmap(0n, 4096, 3, c.MAP_PRIVATE | c.MAP_ANONYMOUS | c.MAP_FIXED_NOREPLACE, -1, 0)`;
    expect(
      await said(`say(${at0}); libc.poke(0n, Buffer.from('zero'));
        say(Buffer.from(libc.peek(0n, 4)).toString()); libc.munmap(0n, 4096); say(outcome(() => libc.peek(0n, 4)))`),
    ).toEqual(['0', 'zero', 'EFAULT']);
    expect(await said(`say(outcome(() => ${at0}))`, { uid: 65534 })).toEqual(['EPERM']);
  });

  test('MAP_FIXED_NOREPLACE takes a free address, and says EEXIST of one in use', () => {
    const free = hole(1);
    expect(mmap(free, PAGE, RW, ANON | libc.MAP_FIXED_NOREPLACE, -1, 0)).toBe(free);
    expectThrows('EEXIST', 'mmap', () => mmap(free, PAGE, RW, ANON | libc.MAP_FIXED_NOREPLACE, -1, 0));
    munmap(free, PAGE);
  });

  test('its errors are the kernel’s', () => {
    const { fd } = file(1);
    const readOnly = file(1, 'r').fd;
    expectThrows('EINVAL', 'mmap', () => mmap(0n, 0, RW, ANON, -1, 0));
    expectThrows('EINVAL', 'mmap', () => mmap(0n, PAGE, RW, libc.MAP_ANONYMOUS, -1, 0));
    expectThrows('EINVAL', 'mmap', () => mmap(0n, PAGE, RW, libc.MAP_SHARED, fd, 1));
    expectThrows('EBADF', 'mmap', () => mmap(0n, PAGE, RW, libc.MAP_PRIVATE, -1, 0));
    expectThrows('EACCES', 'mmap', () => mmap(0n, PAGE, RW, libc.MAP_SHARED, readOnly, 0));
    expectThrows('ENOMEM', 'mmap', () => mmap(0n, Number.MAX_SAFE_INTEGER, RW, ANON, -1, 0));
    expectThrows('ENOTSUP', 'mmap', () =>
      mmap(0n, PAGE, RW, libc.MAP_SHARED_VALIDATE | libc.MAP_SYNC, fd, 0),
    );
  });

  test('a closed descriptor is EBADF, and a directory is ENODEV', async () => {
    const fd = memfd_create('closed', 0);
    closeSync(fd);
    expectThrows('EBADF', 'mmap', () => mmap(0n, PAGE, RW, libc.MAP_SHARED, fd, 0));
    expect(
      await said(`const fd = require('node:fs').openSync('/');
        say(outcome(() => libc.mmap(0n, 4096, 1, c.MAP_PRIVATE, fd, 0)))`),
    ).toEqual(['ENODEV']);
  });

  test('bad arguments name the parameter', () => {
    const call =
      (...args: unknown[]) =>
      () =>
        Reflect.apply(mmap, undefined, args);
    for (const bad of [0, '0', null, undefined, {}]) expectTypeError('addr', call(bad, 1, 1, 1, 1, 0));
    for (const bad of [-1n, 2n ** 64n]) expectRangeError('addr', call(bad, 1, 1, 1, 1, 0));
    for (const bad of [1n, '1', null, undefined, true]) expectTypeError('length', call(0n, bad, 1, 1, 1, 0));
    for (const bad of [-1, 0.5, Number.NaN, Infinity, 2 ** 53]) {
      expectRangeError('length', call(0n, bad, 1, 1, 1, 0));
    }
    for (const bad of [2 ** 32, -(2 ** 31) - 1, 0.5, Number.NaN]) {
      expectRangeError('prot', call(0n, 1, bad, 1, 1, 0));
      expectRangeError('flags', call(0n, 1, 1, bad, 1, 0));
      expectRangeError('fd', call(0n, 1, 1, 1, bad, 0));
    }
    expectTypeError('offset', call(0n, 1, 1, 1, 1, '0'));
    expectTypeError('offset', call(0n, 1, 1, 1, 1));
    for (const bad of [2 ** 53, 0.5, Number.NaN, 2n ** 63n, -(2n ** 63n) - 1n]) {
      expectRangeError('offset', call(0n, 1, 1, 1, 1, bad));
    }
  });

  test('-0 is 0, and arguments beyond the last are ignored', () => {
    const addr = Reflect.apply(mmap, undefined, [0n, PAGE, RW, ANON, -1, -0, 'beyond']);
    expect(mappingAt(addr)).toBeDefined();
    munmap(addr, PAGE);
  });
});

describe('munmap', () => {
  test('unmaps whole pages, also in the middle', () => {
    const addr = anonymous(3);
    munmap(page(addr, 1), 1);
    expect([0, 1, 2].map((i) => mappingAt(page(addr, i)) !== undefined)).toEqual([true, false, true]);
  });

  test('a misaligned address, no length: EINVAL', () => {
    const addr = anonymous(1);
    expectThrows('EINVAL', 'munmap', () => munmap(addr + 1n, PAGE));
    expectThrows('EINVAL', 'munmap', () => munmap(addr, 0));
    expect(mappingAt(addr)).toBeDefined();
  });
});

describe('mremap', () => {
  test('grows, with what was there, and shrinks', () => {
    const addr = anonymous(1);
    poke(addr, Buffer.from('stays'));
    const large = mremap(addr, PAGE, 64 * PAGE, libc.MREMAP_MAYMOVE);
    expect(Buffer.from(peek(large, 5)).toString()).toBe('stays');
    expect(mappingAt(page(large, 63))?.perms).toBe('rw-p');
    expect(mremap(large, 64 * PAGE, PAGE, 0)).toBe(large);
    expect(mappingAt(page(large, 1))?.start === page(large, 1)).toBe(false);
    expectThrows('EFAULT', 'peek', () => peek(page(large, 1), 63 * PAGE));
    munmap(large, PAGE);
  });

  test('MREMAP_FIXED moves it over memory that memprobe mapped', () => {
    const from = anonymous(1);
    const to = anonymous(1);
    poke(from, Buffer.from('moved'));
    expect(mremap(from, PAGE, PAGE, libc.MREMAP_MAYMOVE | libc.MREMAP_FIXED, to)).toBe(to);
    expect(Buffer.from(peek(to, 5)).toString()).toBe('moved');
    expectThrows('EFAULT', 'peek', () => peek(from, 1));
  });

  test('MREMAP_DONTUNMAP leaves the old mapping, empty, and takes a fifth argument as a hint', () => {
    const from = anonymous(1);
    const hint = hole(1);
    poke(from, Buffer.from('moved'));
    const to = mremap(from, PAGE, PAGE, libc.MREMAP_MAYMOVE | libc.MREMAP_DONTUNMAP, hint);
    expect(to).toBe(hint);
    expect(Buffer.from(peek(to, 5)).toString()).toBe('moved');
    expect(peek(from, 5)).toEqual(new Uint8Array(5));
    poke(from, Buffer.from('still mine'));
    munmap(to, PAGE);
  });

  test('an old size of 0 duplicates a shared mapping', () => {
    const addr = anonymous(1, RW, libc.MAP_SHARED | libc.MAP_ANONYMOUS);
    const twin = mremap(addr, 0, PAGE, libc.MREMAP_MAYMOVE);
    expect(twin).not.toBe(addr);
    new Uint8Array(view(twin, PAGE))[7] = 77;
    expect(new Uint8Array(view(addr, PAGE))[7]).toBe(77);
    munmap(twin, PAGE);
    expect(peek(addr, 8)[7]).toBe(77);
  });

  test('its errors are the kernel’s', () => {
    const addr = anonymous(1);
    expectThrows('EINVAL', 'mremap', () => mremap(addr + 1n, PAGE, PAGE, 0));
    expectThrows('EINVAL', 'mremap', () => mremap(addr, PAGE, 0, 0));
    expectThrows('EINVAL', 'mremap', () => mremap(addr, PAGE, PAGE, 64));
    expectThrows('EINVAL', 'mremap', () => mremap(addr, PAGE, PAGE, libc.MREMAP_FIXED, addr));
    const tight = hole(1);
    const first = mmap(tight, PAGE, RW, ANON | libc.MAP_FIXED_NOREPLACE, -1, 0);
    expectThrows('ENOMEM', 'mremap', () => mremap(first, PAGE, 2 * PAGE, 0));
    expectThrows('ENOMEM', 'mremap', () => mremap(first, PAGE, 2 ** 45, libc.MREMAP_MAYMOVE));
    munmap(first, PAGE);
  });

  test('bad arguments name the parameter', () => {
    const call =
      (...args: unknown[]) =>
      () =>
        Reflect.apply(mremap, undefined, args);
    expectTypeError('oldAddr', call(1, 1, 1, 0));
    expectRangeError('oldSize', call(0n, -1, 1, 0));
    expectRangeError('newSize', call(0n, 1, 2 ** 53, 0));
    expectTypeError('flags', call(0n, 1, 1));
    expectTypeError('newAddr', call(0n, 1, 1, 0, 0));
    expectTypeError('newAddr', call(0n, 1, 1, 0, null));
  });
});

describe('mprotect', () => {
  test('changes what maps shows, and what can be stored', () => {
    const addr = anonymous(2);
    mprotect(addr, PAGE, libc.PROT_READ);
    expect(mappingAt(addr)?.perms).toBe('r--p');
    expect(mappingAt(page(addr, 1))?.perms).toBe('rw-p');
    expectThrows('EFAULT', 'poke', () => poke(addr, Buffer.from('no')));
    mprotect(addr, PAGE, RW);
    poke(addr, Buffer.from('yes'));
    expectThrows('EINVAL', 'mprotect', () => mprotect(addr + 1n, PAGE, RW));
  });

  test('writing to a file that was opened for reading is EACCES, and the mapping stays as it was', () => {
    const { fd } = file(1, 'r');
    const addr = mmap(0n, PAGE, libc.PROT_READ, libc.MAP_SHARED, fd, 0);
    expectThrows('EACCES', 'mprotect', () => mprotect(addr, PAGE, RW));
    expectThrows('EACCES', 'view', () => view(addr, PAGE));
    munmap(addr, PAGE);
  });
});

test('msync wants mapped pages and one way of syncing', () => {
  const addr = anonymous(1);
  msync(addr, PAGE, libc.MS_ASYNC);
  expectThrows('EINVAL', 'msync', () => msync(addr, PAGE, libc.MS_ASYNC | libc.MS_SYNC));
  expectThrows('EINVAL', 'msync', () => msync(addr + 1n, PAGE, libc.MS_SYNC));
  expectThrows('ENOMEM', 'msync', () => msync(hole(1), PAGE, libc.MS_SYNC));
});

describe('memfd_create', () => {
  test('opens a file of that name that fs can use', () => {
    const fd = closing(memfd_create('grüße', libc.MFD_CLOEXEC));
    ftruncateSync(fd, PAGE);
    writeSync(fd, 'hello');
    const addr = mmap(0n, PAGE, libc.PROT_READ, libc.MAP_SHARED, fd, 0);
    expect(Buffer.from(peek(addr, 5)).toString()).toBe('hello');
    expect(Buffer.from(mappingAt(addr)?.path ?? '', 'latin1').toString()).toBe('/memfd:grüße (deleted)');
    expect(statSync(`/proc/self/fd/${fd}`).size).toBe(PAGE);
    munmap(addr, PAGE);
  });

  test('takes names of up to 249 bytes, and none with a null byte', () => {
    closing(memfd_create('x'.repeat(249), 0));
    expectThrows('EINVAL', 'memfd_create', () => memfd_create('x'.repeat(250), 0));
    expectThrows('EINVAL', 'memfd_create', () => memfd_create('x', 0x40000000));
    expectRangeError('name', () => memfd_create('a\0b', 0));
    expectTypeError('name', () => Reflect.apply(memfd_create, undefined, [7, 0]));
    expectRangeError('flags', () => memfd_create('x', -1));
  });
});

test('mseal forbids munmap, mprotect, mremap and MAP_FIXED for ever, or is not there', async () => {
  const wanted = await said(`
    const addr = anonymous(4096);
    const sealed = outcome(() => libc.mseal(addr, 4096, 0));
    say(sealed);
    if (sealed === 'ok') say([
      outcome(() => libc.munmap(addr, 4096)), outcome(() => libc.mprotect(addr, 4096, 1)),
      outcome(() => libc.mremap(addr, 4096, 8192, 1)),
      outcome(() => libc.mmap(addr, 4096, 3, c.MAP_PRIVATE | c.MAP_ANONYMOUS | c.MAP_FIXED, -1, 0)),
      outcome(() => libc.poke(addr, Buffer.from('owned as before'))), outcome(() => libc.view(addr, 4096)),
    ]);`);
  const sealed = [['EPERM', 'EPERM', 'EPERM', 'EPERM', 'ok', 'ok']];
  expect(wanted).toEqual(wanted[0] === 'ok' ? ['ok', ...sealed] : ['ERR_MEMPROBE_UNSUPPORTED']);
  expectNotOwned('mseal', () =>
    mseal(mappingAt(BigInt(koffi.address(Buffer.alloc(8))))?.start ?? 0n, PAGE, 0),
  );
});

test('a locked mapping shows in VmFlags, a huge-page size stands in the flags', () => {
  const addr = anonymous(1, RW, ANON | libc.MAP_LOCKED);
  expect(smaps(addr).VmFlags?.split(' ')).toContain('lo');
  // 2^51 bytes is the page size of no machine.
  expectThrows('EINVAL', 'mmap', () =>
    mmap(0n, PAGE, RW, (ANON | libc.MAP_HUGETLB | (51 << libc.MAP_HUGE_SHIFT)) >>> 0, -1, 0),
  );
});
