/** Memory for the checks, and where it lies: by two witnesses at once. */
import assert from 'node:assert/strict';
import {
  type Address,
  MADV_DONTNEED,
  MADV_POPULATE_WRITE,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MPOL_DEFAULT,
  madvise,
  mmap,
  move_pages,
  mprotect,
  munmap,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  set_mempolicy,
  view,
} from '../../../lib/libc/index.js';
import { numaMap, output } from './witness.js';

export const PAGE = 4096;

export interface Source {
  readonly allocate: (size: number) => Address;
  readonly free: (start: Address, size: number) => void;
}

/** Between two pages that nobody may touch, so that the mapping has a line of its own in numa_maps. */
const fenced: Source = {
  allocate(size) {
    const start = mmap(0n, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + BigInt(PAGE);
    mprotect(start, size, PROT_READ | PROT_WRITE);
    return start;
  },
  free: (start, size) => munmap(start - BigInt(PAGE), size + 2 * PAGE),
};

/** Fresh pages. */
export class Pages implements Disposable {
  readonly address: Address;
  readonly length: number;
  readonly #count: number;
  readonly #source: Source;

  constructor(count: number, source: Source = fenced) {
    this.#count = count;
    this.#source = source;
    this.length = count * PAGE;
    this.address = source.allocate(this.length);
  }

  /** Writes into pages `from` to `to`, the latter excluded. */
  touch(from = 0, to = this.#count): this {
    const bytes = new Uint8Array(view(this.address, this.length));
    for (let i = from; i < to; i++) bytes[i * PAGE] = 1;
    return this;
  }

  /** The same in one system call: no other page of this process comes in between. */
  populate(from = 0, to = this.#count): this {
    madvise(this.page(from), (to - from) * PAGE, MADV_POPULATE_WRITE);
    return this;
  }

  /** Makes the page tables beforehand: their pages take turns in interleaving as well. */
  tabled(): this {
    this.populate();
    madvise(this.address, this.length, MADV_DONTNEED);
    return this;
  }

  page(index: number): Address {
    return this.address + BigInt(index * PAGE);
  }

  /** The node of each page, as move_pages has it. */
  nodesOfPages(): number[] {
    return [...move_pages(0, this.addresses(), null, 0)];
  }

  addresses(): BigUint64Array {
    return BigUint64Array.from({ length: this.#count }, (_, i) => this.page(i));
  }

  /** Pages by node, as numa_maps has them; move_pages must say the same. */
  placement(): Record<number, number> {
    const byNode = placementOf(this.addresses());
    assert.deepEqual(byNode, numaMap(this.address).nodes, 'move_pages and numa_maps agree');
    return byNode;
  }

  [Symbol.dispose](): void {
    this.#source.free(this.address, this.length);
  }
}

/** Pages by node, as a query of move_pages has them; pages that are not there are left out. */
export function placementOf(addresses: BigUint64Array): Record<number, number> {
  const pages: Record<number, number> = {};
  for (const node of move_pages(0, addresses, null, 0)) if (node >= 0) pages[node] = (pages[node] ?? 0) + 1;
  return pages;
}

/** Runs under a policy of this thread, and sets the default one again. */
export function withPolicy<T>(mode: number, nodes: readonly number[] | null, run: () => T): T {
  set_mempolicy(mode, nodes);
  try {
    return run();
  } finally {
    set_mempolicy(MPOL_DEFAULT, null);
  }
}

/** Runs on one CPU, and on all again. The busybox way, to be no witness of our own. */
export function onCpu<T>(cpu: number, run: () => T): T {
  output('taskset', '-p', (1 << cpu).toString(16), String(process.pid));
  try {
    return run();
  } finally {
    output('taskset', '-p', 'f', String(process.pid));
  }
}
