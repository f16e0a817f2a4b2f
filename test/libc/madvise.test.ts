import { expect, describe, test } from 'vitest';
import * as libc from '../../lib/libc/index.js';
import { said } from '../helpers/child.js';
import { expectNotOwned, expectRangeError, expectThrows, expectTypeError } from '../helpers/errors.js';
import { anonymous, hole, PAGE, page } from '../helpers/memory.js';
import { libcText, smaps } from '../helpers/witness.js';

const { madvise, posix_madvise, process_madvise, view, peek, mincore } = libc;

const resident = (addr: bigint, pages: number): number =>
  mincore(addr, pages * PAGE).reduce((sum, byte) => sum + (byte & 1), 0);

function filled(pages: number): bigint {
  const addr = anonymous(pages);
  new Uint8Array(view(addr, pages * PAGE)).fill(1);
  return addr;
}

describe('madvise', () => {
  test('DONTNEED gives the pages back, under a view that then reads zeroes', () => {
    const addr = filled(4);
    const bytes = new Uint8Array(view(addr, 4 * PAGE));
    expect([resident(addr, 4), bytes[PAGE]]).toEqual([4, 1]);
    madvise(page(addr, 1), 2 * PAGE, libc.MADV_DONTNEED);
    expect(resident(addr, 4)).toBe(2);
    expect([bytes[0], bytes[PAGE], bytes[2 * PAGE], bytes[3 * PAGE]]).toEqual([1, 0, 0, 1]);
  });

  test('POPULATE_WRITE faults the pages in', () => {
    const addr = anonymous(8);
    expect(resident(addr, 8)).toBe(0);
    madvise(addr, 8 * PAGE, libc.MADV_POPULATE_WRITE);
    expect(resident(addr, 8)).toBe(8);
  });

  test.each([
    ['MADV_DONTDUMP', 'dd'],
    ['MADV_WIPEONFORK', 'wf'],
    ['MADV_DONTFORK', 'dc'],
    ['MADV_NOHUGEPAGE', 'nh'],
    ['MADV_SEQUENTIAL', 'sr'],
    ['MADV_RANDOM', 'rr'],
  ] as const)('%s sets the flag %s of smaps', (advice, flag) => {
    const addr = anonymous(2);
    madvise(addr, 2 * PAGE, libc[advice]);
    expect(smaps(addr).VmFlags?.split(' ')).toContain(flag);
  });

  test('over a hole it acts on the mapped parts and says ENOMEM', () => {
    const addr = anonymous(3);
    libc.munmap(page(addr, 1), PAGE);
    // The guard wants all of a range to be ours, so a harmless advice shows it.
    expectThrows('ENOMEM', 'madvise', () => madvise(addr, 3 * PAGE, libc.MADV_DONTDUMP));
    expect(smaps(addr).VmFlags?.split(' ')).toContain('dd');
    expect(smaps(page(addr, 2)).VmFlags?.split(' ')).toContain('dd');
  });

  test('its errors are the kernel’s', () => {
    const addr = anonymous(1);
    expectThrows('EINVAL', 'madvise', () => madvise(addr + 1n, PAGE, libc.MADV_DONTNEED));
    expectThrows('EINVAL', 'madvise', () => madvise(addr, PAGE, 12345));
    expectThrows('ENOMEM', 'madvise', () => madvise(hole(1), PAGE, libc.MADV_WILLNEED));
    expectThrows('EINVAL', 'madvise', () => madvise(addr, PAGE, libc.MADV_REMOVE));
    madvise(addr, 0, libc.MADV_DONTNEED);
  });

  test('whole pages inside a block of malloc may be discarded, what shares a page with others may not', () => {
    const block = libc.malloc(8 * PAGE);
    const bytes = new Uint8Array(view(block, 8 * PAGE)).fill(9);
    const first = (block + 4095n) & ~4095n;
    madvise(first, 6 * PAGE, libc.MADV_DONTNEED);
    expect([bytes[0], peek(first, 1)[0], peek(page(first, 6) - 1n, 1)[0]]).toEqual([
      first === block ? 0 : 9,
      0,
      0,
    ]);
    // The page of its header, which is the one before where the block begins a page.
    expectNotOwned('madvise', () => madvise((block - 16n) & ~4095n, PAGE, libc.MADV_DONTNEED));
    expectNotOwned('madvise', () => madvise(first, 9 * PAGE, libc.MADV_FREE));
    expectNotOwned('madvise', () => madvise(first, PAGE, libc.MADV_DONTFORK));
    libc.free(block);
  });

  test('bad arguments name the parameter', () => {
    expectTypeError('addr', () => Reflect.apply(madvise, undefined, [1, 1, 1]));
    expectRangeError('length', () => madvise(0n, -1, 0));
    expectTypeError('advice', () => Reflect.apply(madvise, undefined, [0n, 1, 4n]));
    expectTypeError('advice', () => Reflect.apply(madvise, undefined, [0n, 1]));
  });
});

describe('posix_madvise', () => {
  test('throws what C returns, and does nothing for DONTNEED', () => {
    const addr = filled(2);
    posix_madvise(addr, 2 * PAGE, libc.POSIX_MADV_DONTNEED);
    expect(resident(addr, 2)).toBe(2);
    posix_madvise(libcText().start, PAGE, libc.POSIX_MADV_WILLNEED);
    expectThrows('EINVAL', 'posix_madvise', () => posix_madvise(addr, PAGE, 999));
    expectThrows('EINVAL', 'posix_madvise', () => posix_madvise(addr + 1n, PAGE, libc.POSIX_MADV_NORMAL));
    expectThrows('ENOMEM', 'posix_madvise', () => posix_madvise(hole(1), PAGE, libc.POSIX_MADV_WILLNEED));
  });

  test('what posix does not know is passed on by glibc, and foreign memory kept from it', () => {
    const { start } = libcText();
    for (const advice of [libc.MADV_DONTNEED_LOCKED, libc.MADV_FREE, libc.MADV_GUARD_INSTALL])
      expectNotOwned('posix_madvise', () => posix_madvise(start, PAGE, advice));
    posix_madvise(start, PAGE, libc.POSIX_MADV_DONTNEED);
  });
});

/** What the constants are called, asked of the export itself. */
const ADVICE = Object.entries(libc).filter((entry): entry is [string, number] =>
  entry[0].startsWith('MADV_'),
);
const HARMLESS = new Set(
  (
    'NORMAL RANDOM SEQUENTIAL WILLNEED DOFORK MERGEABLE UNMERGEABLE HUGEPAGE NOHUGEPAGE DONTDUMP DODUMP KEEPONFORK ' +
    'COLD PAGEOUT POPULATE_READ POPULATE_WRITE COLLAPSE'
  )
    .split(' ')
    .map((name) => `MADV_${name}`),
);

describe('of memory that memprobe did not make', () => {
  test.each(ADVICE)(
    '%s is passed to the kernel if it is harmless, and refused if it is not',
    (name, advice) => {
      const foreign = libcText().start;
      if (!HARMLESS.has(name)) return expectNotOwned('madvise', () => madvise(foreign, PAGE, advice));
      try {
        madvise(foreign, PAGE, advice);
      } catch (error) {
        // Kernels without KSM or huge pages say EINVAL; text can't be populated for writing.
        expect(error).toMatchObject({ syscall: 'madvise', errno: expect.any(Number) });
      }
    },
  );
});

const PIDFD = `
  const koffi = require(${JSON.stringify(import.meta.resolve('koffi').replace('file://', ''))});
  const c_lib = koffi.load(null);
  const pidfd_open = (pid) => c_lib.func('long syscall(long, int, int)')(434, pid, 0);`;

describe('process_madvise', () => {
  test('advises ranges of this process, and says how many bytes', async () => {
    const [advised, again] = await said(`${PIDFD}
      const addr = anonymous(16384), self = pidfd_open(process.pid);
      libc.poke(addr, new Uint8Array(16384).fill(1));
      say(libc.process_madvise(self, [[addr, 4096], [addr + 8192n, 8192]], c.MADV_COLD, 0));
      say(libc.process_madvise(self, [], c.MADV_COLD, 0));`);
    expect([advised, again]).toEqual([12288, 0]);
  });

  test('of this process destructive advice about foreign memory is refused, range by range', async () => {
    expect(
      await said(`${PIDFD}
        const addr = anonymous(8192), self = pidfd_open(process.pid);
        const text = BigInt('0x' + /(\\w+)-\\S+ r-xp .*\\/libc/.exec(require('node:fs').readFileSync('/proc/self/maps', 'latin1'))[1]);
        say([c.MADV_DONTNEED, c.MADV_GUARD_INSTALL].map((advice) => [
          outcome(() => libc.process_madvise(self, [[text, 4096]], advice, 0)),
          outcome(() => libc.process_madvise(self, [[addr, 4096], [text, 4096]], advice, 0))]));
        say(outcome(() => libc.view(addr, 8192)));`),
    ).toEqual([Array(2).fill(Array(2).fill('ERR_MEMPROBE_NOT_OWNED')), 'ok']);
  });

  test('its errors are the kernel’s', () => {
    expectThrows('EBADF', 'process_madvise', () => process_madvise(-1, [[4096n, PAGE]], libc.MADV_COLD, 0));
    expectThrows('EINVAL', 'process_madvise', () => process_madvise(-1, [], libc.MADV_COLD, 1));
  });

  test('bad arguments name the parameter and the range', () => {
    const call =
      (...args: unknown[]) =>
      () =>
        Reflect.apply(process_madvise, undefined, args);
    expectTypeError('pidfd', call('1', [], 0, 0));
    expectTypeError('ranges', call(1, new Set(), 0, 0));
    expectTypeError('ranges[1]', call(1, [[0n, 1], 7], 0, 0));
    expectTypeError('ranges[0]', call(1, [[0, 1]], 0, 0));
    expectRangeError('ranges[0]', call(1, [[0n, -1]], 0, 0));
    expectRangeError('flags', call(1, [], 0, -1));
  });
});
