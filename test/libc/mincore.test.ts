import { writeSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as libc from '../../lib/libc/index.js';
import { said } from '../helpers/child.js';
import { expectRangeError, expectThrows, expectTypeError } from '../helpers/errors.js';
import { anonymous, file, hole, PAGE, page } from '../helpers/memory.js';

const { mincore, cachestat, poke, mmap } = libc;

/** In a child: by how many bytes its largest RSS so far has grown. */
const PEAK = `
  const high = () => Number(/VmHWM:\\s+(\\d+)/.exec(require('node:fs').readFileSync('/proc/self/status', 'latin1'))[1]) * 1024;
  const before = high(), grown = () => high() - before;`;

describe('mincore', () => {
  test('has a byte for each page, set where it was touched', () => {
    const addr = anonymous(5);
    poke(page(addr, 1), new Uint8Array(1));
    poke(page(addr, 4), new Uint8Array(1));
    expect([...mincore(addr, 5 * PAGE)].map((byte) => byte & 1)).toEqual([0, 1, 0, 0, 1]);
    expect(mincore(addr, 4 * PAGE + 1)).toHaveLength(5);
    expect(mincore(addr, 1)).toHaveLength(1);
    expect(mincore(addr, 0)).toHaveLength(0);
  });

  test('goes into the vector that is given, and leaves the rest of a longer one alone', () => {
    const addr = anonymous(3);
    poke(page(addr, 2), new Uint8Array(1));
    const vec = new Uint8Array(5).fill(0xee);
    expect(mincore(addr, 3 * PAGE, vec)).toBe(vec);
    expect([...vec]).toEqual([0, 0, 1, 0xee, 0xee]);
    const inside = new Uint8Array(new ArrayBuffer(32), 8, 3);
    expect(mincore(addr, 3 * PAGE, inside)).toBe(inside);
    expect([...inside]).toEqual([0, 0, 1]);
  });

  test('a vector that is too short is refused, and untouched', () => {
    const vec = new Uint8Array(2).fill(0xee);
    expectRangeError('vec', () => mincore(anonymous(3), 3 * PAGE, vec));
    expect([...vec]).toEqual([0xee, 0xee]);
  });

  test('an absurd length is refused without allocating for it', async () => {
    const [outcomes, grown] = await said(`${PEAK}
      const addr = anonymous(4096);
      say([Number.MAX_SAFE_INTEGER, 2 ** 46].map((length) => outcome(() => libc.mincore(addr, length))));
      say(grown());`);
    expect(outcomes).toEqual(['ENOMEM', 'ENOMEM']);
    expect(grown).toBeLessThan(256 << 20); // of the 16 GiB that a byte for each page would take
  });

  test('over more than 16 TiB its vector would be longer than a Uint8Array can be: refused at once', async () => {
    const [outcomes, grown] = await said(`${PEAK}
      const length = 2 ** 44 + 4096;
      const addr = libc.mmap(0n, length, c.PROT_NONE, c.MAP_PRIVATE | c.MAP_ANONYMOUS | c.MAP_NORESERVE, -1, 0);
      const asked = () => outcome(() => libc.mincore(addr, length));
      const whole = asked();
      libc.munmap(addr + BigInt(length - 4096), 4096);
      say([whole, asked()]);
      say(grown());`);
    expect(outcomes).toEqual(['ERR_OUT_OF_RANGE', 'ENOMEM']);
    expect(grown).toBeLessThan(256 << 20); // of 4 GiB
  });

  test('more than the piece that is asked at a time comes back whole', () => {
    // 1 GiB and 3 pages, one page of it touched behind the first piece.
    const pages = 2 ** 18 + 3;
    const addr = mmap(0n, pages * PAGE, 3, libc.MAP_PRIVATE | libc.MAP_ANONYMOUS | libc.MAP_NORESERVE, -1, 0);
    libc.madvise(addr, pages * PAGE, libc.MADV_NOHUGEPAGE);
    poke(page(addr, pages - 2), new Uint8Array(1));
    const vec = mincore(addr, pages * PAGE);
    expect([vec.length, vec.indexOf(1), vec.lastIndexOf(1)]).toEqual([pages, pages - 2, pages - 2]);
    libc.munmap(addr, pages * PAGE);
  });

  test('a misaligned address is EINVAL, a hole ENOMEM', () => {
    expectThrows('EINVAL', 'mincore', () => mincore(anonymous(1) + 1n, PAGE));
    expectThrows('ENOMEM', 'mincore', () => mincore(hole(1), PAGE));
  });

  test('bad arguments name the parameter', () => {
    expectTypeError('addr', () => Reflect.apply(mincore, undefined, [0, 1]));
    expectRangeError('length', () => mincore(0n, 2 ** 53));
    for (const bad of [null, 5, [], new Uint16Array(4), new ArrayBuffer(4)]) {
      expectTypeError('vec', () => Reflect.apply(mincore, undefined, [0n, 1, bad]));
    }
  });
});

describe('cachestat', () => {
  test('counts a file’s pages in the cache, and the dirty ones among them', () => {
    const { fd } = file(6);
    const { nr_cache, nr_dirty } = cachestat(fd, 0, 0);
    expect(nr_cache).toBe(6);
    expect(nr_dirty).toBeLessThanOrEqual(6);
    expect(cachestat(fd, 2 * PAGE, 3 * PAGE, 0).nr_cache).toBe(3);
    writeSync(fd, 'x', 9 * PAGE);
    expect(cachestat(fd, 0, 0).nr_cache).toBeGreaterThanOrEqual(7);
  });

  test('its errors are the kernel’s', () => {
    const { fd } = file(1);
    expectThrows('EBADF', 'cachestat', () => cachestat(-1, 0, 0));
    expectThrows('EINVAL', 'cachestat', () => cachestat(fd, 0, 0, 1));
    expectRangeError('offset', () => cachestat(fd, -1, 0));
    expectTypeError('flags', () => Reflect.apply(cachestat, undefined, [fd, 0, 0, null]));
  });
});
