/** Huge pages, which are reserved node by node. */
import assert from 'node:assert/strict';
import {
  MAP_ANONYMOUS,
  MAP_HUGETLB,
  MAP_PRIVATE,
  MPOL_BIND,
  MPOL_INTERLEAVE,
  mbind,
  mmap,
  munmap,
  PROT_READ,
  PROT_WRITE,
  view,
} from '../../../lib/libc/index.js';
import type { Check } from './check.js';
import { placementOf } from './memory.js';
import { hardware, numaMap, sysfs } from './witness.js';

const HUGE = 2 << 20;

/** Huge pages that nobody has taken yet, by node. */
const free = (): number[] =>
  hardware().nodes.map((node) => Number(sysfs(`node${node}/hugepages/hugepages-2048kB/free_hugepages`)));

/** Touches `count` huge pages under this policy and says where they are. */
function placed(count: number, mode: number, nodes: readonly number[]): Record<number, number> {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
  const addr = mmap(0n, count * HUGE, PROT_READ | PROT_WRITE, flags, -1, 0);
  try {
    mbind(addr, count * HUGE, mode, nodes, 0);
    const bytes = new Uint8Array(view(addr, count * HUGE));
    for (let i = 0; i < count; i++) bytes[i * HUGE] = 1;
    const starts = BigUint64Array.from({ length: count }, (_, i) => addr + BigInt(i * HUGE));
    const { nodes: found, pageSizeKib } = numaMap(addr);
    assert.equal(pageSizeKib, HUGE / 1024);
    assert.deepEqual(placementOf(starts), found);
    return found;
  } finally {
    munmap(addr, count * HUGE);
  }
}

export const hugeChecks: readonly Check[] = [
  {
    name: "huge pages come from their node's reserve, and go back to it",
    on: ['four'],
    run() {
      const before = free();
      hardware().nodes.forEach((node) => assert.deepEqual(placed(2, MPOL_BIND, [node]), { [node]: 2 }));
      assert.deepEqual(free(), before);
    },
  },
  {
    name: 'huge pages are interleaved over nodes, one by one',
    on: ['four'],
    run: () => assert.deepEqual(placed(8, MPOL_INTERLEAVE, [0, 1, 2, 3]), { 0: 2, 1: 2, 2: 2, 3: 2 }),
  },
];
