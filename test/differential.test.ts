/** On random valid arguments each call answers as C's does through koffi, made from the same state. */
import { constants } from 'node:os';
import { closeSync } from 'node:fs';
import fc from 'fast-check';
import koffi from 'koffi';
import { describe, expect, test } from 'vitest';
import * as libc from '../lib/libc/index.js';
import * as libnuma from '../lib/libnuma/index.js';
import { PAGE, RW } from './helpers/memory.js';

const c = koffi.load('libc.so.6');
const PAGES = 8;
const RUNS = 300;
const FLAGS = libc.MAP_PRIVATE | libc.MAP_ANONYMOUS;
const length = PAGES * PAGE;

const C = {
  mmap: c.func('uintptr_t mmap(uintptr_t, size_t, int, int, int, int64_t)'),
  munmap: c.func('int munmap(uintptr_t, size_t)'),
  mremap: c.func('uintptr_t mremap(uintptr_t, size_t, size_t, int)'),
  mprotect: c.func('int mprotect(uintptr_t, size_t, int)'),
  msync: c.func('int msync(uintptr_t, size_t, int)'),
  madvise: c.func('int madvise(uintptr_t, size_t, int)'),
  posix_madvise: c.func('int posix_madvise(uintptr_t, size_t, int)'),
  mincore: c.func('int mincore(uintptr_t, size_t, _Out_ uint8_t*)'),
  mlock: c.func('int mlock(uintptr_t, size_t)'),
  mlock2: c.func('int mlock2(uintptr_t, size_t, unsigned int)'),
  munlock: c.func('int munlock(uintptr_t, size_t)'),
  memfd_create: c.func('int memfd_create(const char*, unsigned int)'),
  malloc: c.func('uintptr_t malloc(size_t)'),
  calloc: c.func('uintptr_t calloc(size_t, size_t)'),
  aligned_alloc: c.func('uintptr_t aligned_alloc(size_t, size_t)'),
  memalign: c.func('uintptr_t memalign(size_t, size_t)'),
  valloc: c.func('uintptr_t valloc(size_t)'),
  pvalloc: c.func('uintptr_t pvalloc(size_t)'),
  posix_memalign: c.func('int posix_memalign(_Out_ uintptr_t*, size_t, size_t)'),
  free: c.func('void free(uintptr_t)'),
  malloc_usable_size: c.func('size_t malloc_usable_size(uintptr_t)'),
  mallopt: c.func('int mallopt(int, int)'),
  getpagesize: c.func('int getpagesize()'),
  sbrk: c.func('uintptr_t sbrk(intptr_t)'),
};

const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));
const named = (errno: number): string => names.get(errno)?.replace('ENOTSUP', 'EOPNOTSUPP') ?? String(errno);

/** 'ok', or the error's name. */
const ofC = (result: unknown): string =>
  Number(result) === -1 || result === 2n ** 64n - 1n ? named(koffi.errno()) : 'ok';

function ours(call: () => unknown): string {
  try {
    call();
    return 'ok';
  } catch (error) {
    return error instanceof Error && 'code' in error
      ? String(error.code).replace('ENOTSUP', 'EOPNOTSUPP')
      : String(error);
  }
}

type Pair = (mine: bigint, theirs: bigint) => void;

/** The same fresh pages twice, the second half of them touched: one for us, one for C. */
function withPair(use: Pair): void {
  const mine = libc.mmap(0n, length, RW, FLAGS, -1, 0);
  const theirs = BigInt(C.mmap(0, length, RW, FLAGS, -1, 0));
  try {
    libc.madvise(mine + BigInt(length / 2), length / 2, libc.MADV_POPULATE_WRITE);
    C.madvise(theirs + BigInt(length / 2), length / 2, libc.MADV_POPULATE_WRITE);
    use(mine, theirs);
  } finally {
    for (let i = 0; i < PAGES; i++) ours(() => libc.munmap(mine + BigInt(i * PAGE), PAGE));
    C.munmap(theirs, length);
  }
}

/** Within the pages, so that what is destroyed is ours; now and then misaligned or empty. */
const spans = fc
  .tuple(fc.nat(PAGES - 1), fc.nat(PAGES), fc.constantFrom(0, 0, 0, 0, 1, 2048), fc.constantFrom(0, 0, 1, -1))
  .map(([first, count, off, by]) => {
    const start = first * PAGE + off;
    return { start, size: Math.max(0, Math.min(count * PAGE + by, length - start)) };
  });

const someOf = (beginning: RegExp): number[] =>
  Object.entries(libc).flatMap(([name, value]) =>
    beginning.test(name) && typeof value === 'number' ? [value] : [],
  );

/** Poisoning and offlining take real memory out of use. */
const advices = someOf(/^MADV_(?!HWPOISON|SOFT_OFFLINE)/);

describe('on a span of a fresh mapping', () => {
  const argument = {
    mprotect: [...someOf(/^PROT_(NONE|READ|WRITE)/), 3, 64],
    madvise: [...advices, 12_345],
    posix_madvise: [0, 1, 2, 3, 4, 999],
    msync: [0, ...someOf(/^MS_/), 3, 5, 64],
    mlock2: [0, libc.MLOCK_ONFAULT, 2],
  };
  test.each(['mprotect', 'madvise', 'posix_madvise', 'msync', 'mlock2'] as const)('%s', (name) => {
    const call: (addr: bigint, length: number, argument: number) => void = libc[name];
    fc.assert(
      fc.property(spans, fc.constantFrom(...argument[name]), ({ start, size }, value) =>
        withPair((mine, theirs) => {
          const answer = C[name](theirs + BigInt(start), size, value);
          const expected = name === 'posix_madvise' ? (answer === 0 ? 'ok' : named(answer)) : ofC(answer);
          expect(ours(() => call(mine + BigInt(start), size, value))).toBe(expected);
        }),
      ),
      { numRuns: RUNS },
    );
  });

  test.each(['mlock', 'munlock', 'munmap'] as const)('%s', (name) => {
    fc.assert(
      fc.property(spans, ({ start, size }) =>
        withPair((mine, theirs) => {
          const expected = ofC(C[name](theirs + BigInt(start), size));
          expect(ours(() => libc[name](mine + BigInt(start), size))).toBe(expected);
        }),
      ),
      { numRuns: RUNS },
    );
  });

  test('mincore, byte for byte', () => {
    fc.assert(
      fc.property(spans, fc.boolean(), ({ start, size }, beyond) =>
        withPair((mine, theirs) => {
          const theirVec = new Uint8Array(Math.ceil(size / PAGE));
          const end = beyond ? 2 ** 46 : size;
          const expected = ofC(C.mincore(theirs + BigInt(start), beyond ? 2 ** 46 : size, theirVec));
          let vec = new Uint8Array();
          expect(ours(() => (vec = Uint8Array.from(libc.mincore(mine + BigInt(start), end))))).toBe(expected);
          if (expected === 'ok') expect(vec).toEqual(theirVec);
        }),
      ),
      { numRuns: RUNS },
    );
  });

  test('mremap', () => {
    const sizes = fc.constantFrom(0, 1, PAGE, length / 2, length, 2 * length, 2 ** 46);
    fc.assert(
      fc.property(spans, sizes, fc.constantFrom(0, libc.MREMAP_MAYMOVE, 64), ({ start, size }, to, flags) =>
        withPair((mine, theirs) => {
          const from = Math.max(size, 1);
          const moved = C.mremap(theirs + BigInt(start), from, to, flags);
          const expected = ofC(moved);
          let address = 0n;
          const answer = ours(() => (address = libc.mremap(mine + BigInt(start), from, to, flags)));
          if (answer === 'ok') libc.munmap(address, to);
          if (expected === 'ok') C.munmap(moved, to);
          // Whether there is room behind it is chance, where it may not move.
          if (flags === 0 && to > from && [answer, expected].includes('ENOMEM')) return;
          expect(answer).toBe(expected);
        }),
      ),
      { numRuns: RUNS },
    );
  });
});

describe('without a mapping', () => {
  const sizes = fc.constantFrom(0, 1, 24, 4096, 2 ** 20, 2 ** 48, Number.MAX_SAFE_INTEGER);
  const block = (address: unknown): string => {
    const failed = Number(address) === 0 ? named(koffi.errno()) : 'ok';
    if (failed === 'ok') C.free(address);
    return failed;
  };
  const freed = (call: () => bigint) => (): void => libc.free(call());

  test.each(['malloc', 'valloc', 'pvalloc'] as const)('%s', (name) => {
    fc.assert(
      fc.property(sizes, (size) => {
        const expected = block(C[name](size));
        expect(ours(freed(() => libc[name](size)))).toBe(expected);
      }),
    );
  });

  test.each(['calloc', 'aligned_alloc', 'memalign', 'posix_memalign'] as const)('%s', (name) => {
    const firsts = fc.constantFrom(
      ...(name === 'calloc' ? [0, 1, 7, 2 ** 33] : [0, 1, 3, 8, 16, 64, 4096, 2 ** 52]),
    );
    fc.assert(
      fc.property(firsts, sizes, (first, size) => {
        const out: [bigint | number] = [0];
        const status = name === 'posix_memalign' ? C.posix_memalign(out, first, size) : 0;
        const expected =
          status !== 0 ? named(status) : block(name === 'posix_memalign' ? out[0] : C[name](first, size));
        expect(ours(freed(() => libc[name](first, size)))).toBe(expected);
      }),
    );
  });

  test('malloc_usable_size of the same block', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 18 }), (size) => {
        const address = libc.malloc(size);
        expect(libc.malloc_usable_size(address)).toBe(Number(C.malloc_usable_size(address)));
        libc.free(address);
      }),
    );
  });

  test('memfd_create', () => {
    const bits = fc.constantFrom(0, libc.MFD_CLOEXEC, libc.MFD_ALLOW_SEALING, 0x4000, -1 >>> 0);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', maxLength: 260 }), bits, (name, flags) => {
        const close = (fd: number): number => (fd < 0 ? fd : (closeSync(fd), 0));
        const expected = ofC(close(C.memfd_create(name, flags)));
        expect(ours(() => close(libc.memfd_create(name, flags)))).toBe(expected);
      }),
    );
  });

  test('what only answers', () => {
    expect(libc.getpagesize()).toBe(C.getpagesize());
    let [before, theirs] = [1n, 0n];
    while (before !== libc.sbrk(0)) [before, theirs] = [libc.sbrk(0), BigInt(C.sbrk(0))]; // malloc moves the break
    expect(before).toBe(theirs);
    fc.assert(
      fc.property(
        fc.integer({ min: -2000, max: -100 }),
        fc.integer({ min: 0, max: 1000 }),
        (param, value) => {
          expect(libc.mallopt(param, value)).toBe(C.mallopt(param, value));
        },
      ),
    );
  });
});

const hasNuma = ((): boolean => {
  try {
    return libnuma.numa_available() !== -1;
  } catch {
    return false;
  }
})();

test.skipIf(!hasNuma)('libnuma’s answers (skipped where libnuma or NUMA is missing)', () => {
  const n = koffi.load('libnuma.so.1');
  const asked = [
    'numa_max_node',
    'numa_max_possible_node',
    'numa_num_configured_nodes',
    'numa_num_configured_cpus',
    'numa_num_task_nodes',
    'numa_preferred',
  ] as const;
  for (const name of asked) expect(libnuma[name](), name).toBe(n.func(`int ${name}()`)());
  const distance = n.func('int numa_distance(int, int)');
  fc.assert(
    fc.property(fc.nat(300), fc.nat(300), (a, b) => {
      expect(libnuma.numa_distance(a, b)).toBe(distance(a, b));
    }),
  );
});
