/** mremap: mappings that grow and move without being copied. */
import {
  MAP_FIXED_NOREPLACE,
  MREMAP_DONTUNMAP,
  MREMAP_MAYMOVE,
  mmap,
  mremap,
  munmap,
  PROT_READ,
} from '../libc/mmap.js';
import { peek } from '../libc/memory.js';
import type { Bench, Lab } from './bench.js';
import { codeOf } from '../procfs/errors.js';
import { bytesAt, hex, keepPagesSmall, mapAlone, PRIVATE_ANONYMOUS, touch } from './words.js';

export const mremapLab: Lab = {
  name: 'mremap',
  summary: 'growing and moving memory without copying a byte',
  tells: ['faults'],
  run(bench) {
    const memory = grow(bench);
    const moved = move(bench, memory);
    leave(bench, moved);
  },
};

const MEMORY = 'memory';

function grow(bench: Bench): bigint {
  const { page } = bench;
  bench.section('Growing in place');
  const address = mapAlone(page);
  keepPagesSmall(address, page);
  bench.watch(address, 4 * page, MEMORY);
  const bytes = bytesAt(address, page);
  bytes[0] = 7;
  const { value } = bench.step('grow', 'mremap(p, page, 4 * page, 0)', () =>
    mremap(address, page, 4 * page, 0),
  );
  bench.say(
    `Behind p was room: it is ${value === address ? 'where it was' : 'elsewhere'}, and longer by 3 pages that nobody ` +
      `has touched. The JavaScript view of the old page has ${bytes.length} bytes: it was detached, lest it dangle.`,
  );
  bench.record({ before: hex(address), after: hex(value), viewLength: bytes.length });
  bench.shows('With flags 0 mremap changes the length and never the address.');
  return value;
}

function move(bench: Bench, address: bigint): bigint {
  const { page } = bench;
  const length = 4 * page;
  bench.section('Moving');
  touch(bytesAt(address, length), page, 7);
  const behind = address + BigInt(length);
  mmap(behind, page, PROT_READ, PRIVATE_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  bench.refused('blocked', 'mremap(p, 4 * page, 8 * page, 0), with another mapping right behind', () =>
    mremap(address, length, 2 * length, 0),
  );
  const code = 'q = mremap(p, 4 * page, 8 * page, MREMAP_MAYMOVE)';
  const { value, change } = bench.make('move', code, 'memory, moved', 2 * length, () =>
    mremap(address, length, 2 * length, MREMAP_MAYMOVE),
  );
  const sum = firstBytes(value, 4, page).reduce((total, byte) => total + byte, 0);
  bench.say(
    `q is ${hex(value)}. The four pages hold what they held, and moving them took ${change.faults.minor} page faults: ` +
      'the kernel moved entries of the page table, and no bytes.',
  );
  bench.record({ before: hex(address), after: hex(value), sum, minorFaults: change.faults.minor });
  munmap(behind, page);
  bench.shows('MREMAP_MAYMOVE lets the kernel find room elsewhere; realloc of a large block does just this.');
  return value;
}

function leave(bench: Bench, address: bigint): void {
  const { page } = bench;
  const length = 8 * page;
  bench.section('Moving out, and keeping the house');
  const flags = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
  const done = attempt(bench, () => mremap(address, length, length, flags));
  if (done) {
    bench.watch(done.value, length, 'the new place');
    bench.watch(address, length, 'the old place');
    bench.adopt('dontunmap', 'r = mremap(q, 8 * page, 8 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP)', done);
    const [old = 0, now = 0] = [address, done.value].map((place) => peek(place, 1)[0] ?? 0);
    bench.say(
      `All that was resident is at r (${hex(done.value)}); q is still mapped, and empty: q[0] is ${old}, r[0] is ${now}.`,
    );
    bench.record({ old, now, resident: done.change.rss });
    munmap(done.value, length);
  }
  munmap(address, length);
  bench.shows(
    'MREMAP_DONTUNMAP (Linux 5.7) takes the pages away and leaves the addresses: whoever touches them next faults, which ' +
      'is how garbage collectors and userfaultfd use it.',
  );
}

function attempt<T>(bench: Bench, action: () => T): ReturnType<typeof bench.measure<T>> | undefined {
  try {
    return bench.measure(action);
  } catch (error) {
    if (codeOf(error) !== 'EINVAL') throw error;
    bench.note('dontunmap', 'mremap(q, 8 * page, 8 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP)');
    bench.skip('this kernel is older than Linux 5.7');
    return undefined;
  }
}

function firstBytes(address: bigint, count: number, page: number): number[] {
  return Array.from({ length: count }, (_, i) => peek(address + BigInt(i * page), 1)[0] ?? 0);
}
