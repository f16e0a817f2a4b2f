/**
 * A heap that is written through, and the power gone at any moment: what the disk has then is all that was written before the last
 * barrier, and any of what was written since, in any order. It is attached, and compared with what was acknowledged.
 */
import fc from 'fast-check';
import { closeSync, constants, ftruncateSync, openSync, truncateSync, writeSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Heap } from '../../lib/heap/index.js';
import { cachestat } from '../../lib/libc/index.js';
import { Mapping } from '../../lib/mapping/index.js';
import { random } from '../allocator/model.js';
import { Disk, found, type Moment } from './disk.js';
import { choose, fill, type Held, held, isOneOf, type Operation } from './operations.js';
import { observeStores, unwatchStores, watchStores } from './stepping.js';
import { code, owned, scratch } from './support.js';

const LIMIT = 2 ** 18;

/** What was going on: `allowed` may be found; what was there `before` has its content, but what the operation cuts. */
interface Going {
  readonly operation: Operation;
  readonly before: Held;
  readonly allowed: Held[];
}
const nothing: Operation = { name: 'nothing', run: () => undefined };
const start: Going = { operation: nothing, before: { blocks: new Map(), roots: new Map() }, allowed: [] };

let disk: Disk<unknown> | undefined;

/** From now on each store and each barrier of a heap is seen. */
beforeEach(() => {
  watchStores();
  observeStores(() => disk?.look());
  const flush = Mapping.prototype.flush;
  vi.spyOn(Mapping.prototype, 'flush').mockImplementation(function (this: Mapping, offset, length) {
    flush.call(this, offset, length);
    disk?.settle(length ?? this.length);
  });
});

function unobserve(): void {
  disk = undefined;
  observeStores(undefined);
  unwatchStores();
  vi.restoreAllMocks();
}
afterEach(unobserve);

/** What changes the heap's length, its roots, or whether it is open; a realloc that must move, and one that need not. */
function rarer(heap: Heap, { blocks, roots }: Held, next: (below: number) => number): Operation[] {
  const loose = [...blocks].filter(([each]) => ![...roots.values()].includes(each));
  const names = [...roots.keys()];
  const name = names[next(names.length)] ?? 'first';
  const resized = (which: number, size: number): Operation[] => {
    const [from, bytes] = loose.at(which) ?? [];
    if (from === undefined || bytes === undefined) return [];
    const kept = Math.min(size, bytes.length);
    return [
      { name: `realloc ${from} ${size}`, run: () => void heap.realloc(from, size), resized: { from, kept } },
    ];
  };
  return [
    { name: 'grow', run: () => void heap.grow(heap.region.length + 65_536) },
    { name: 'trim', run: () => void heap.trim() },
    { name: `delete ${name}`, run: () => void heap.roots.delete(name) },
    ...loose
      .slice(-1)
      .map(([ptr]) => ({ name: `set ${ptr}`, run: () => heap.roots.set(`root ${ptr}`, ptr) })),
    ...resized(next(loose.length), 200),
    ...resized(-1, heap.region.length - (loose.at(-1)?.[0] ?? 0) + 100), // beyond the heap's end
  ];
}

/** Works on a heap, and returns every moment of that. */
function worked(path: string, seed: number, operations: number): Moment<Going>[] {
  const next = random(seed);
  let heap = Heap.create(path, { limit: LIMIT, sync: true });
  const seen = new Disk<Going>(path, { ...start, allowed: [held(heap)] });
  disk = seen;
  const again: Operation = {
    name: 'close, attach',
    run: () => void (heap.close(), (heap = Heap.attach(path, { sync: true }))),
  };
  for (let i = 0; i < operations; i++) {
    const before = held(heap);
    const rare = [again, ...rarer(heap, before, next)];
    const operation = next(2) === 0 ? choose(heap, before, next) : (rare[next(rare.length)] ?? again);
    const allowed = [before];
    seen.state = { operation, before, allowed };
    operation.run();
    seen.look();
    const after = held(heap);
    allowed.push(after);
    const same = [...before.blocks].filter(
      ([ptr]) => after.blocks.has(ptr) && ptr !== operation.resized?.from,
    );
    seen.state = { operation: nothing, before: { ...before, blocks: new Map(same) }, allowed: [after] };
    const made = [...after.blocks.keys()].filter((ptr) => !before.blocks.has(ptr));
    for (const ptr of made) fill(heap, ptr, next(256));
    if (made.length > 0) heap.flush(); // or any operation that comes next
  }
  heap.close();
  seen.look();
  disk = undefined;
  return seen.moments;
}

/** What a disk has, in a file. Not from the start each time: ext4 would wait for the disk. */
function put(path: string, bytes: Buffer): void {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT);
  writeSync(fd, bytes, 0, bytes.length, 0);
  ftruncateSync(fd, bytes.length);
  closeSync(fd);
}

/** What is there after the power went, compared with what must be. */
function compare(path: string, { operation, before, allowed }: Going): void {
  const heap = Heap.attach(path);
  try {
    heap.check();
    isOneOf(held(heap), allowed, before, operation);
  } finally {
    heap.close();
  }
}

const outage = (moments: number) =>
  fc.record({ at: fc.nat(moments - 1), chosen: fc.array(fc.nat(), { maxLength: 40 }), others: fc.boolean() });

it.each([1, 2, 3])(
  'the power goes at any moment of its work: nothing is broken, nothing is lost (seed %i)',
  (seed) => {
    const moments = worked(scratch(), seed, 60);
    unobserve();
    const path = scratch();
    expect(moments.length).toBeGreaterThan(500);
    fc.assert(
      fc.property(outage(moments.length), ({ at, chosen, others }) => {
        const moment = moments[at]!;
        put(path, found(moment, chosen, others));
        compare(path, moment.state);
      }),
      { numRuns: 700 },
    );
  },
);

it('what a block holds is on the disk before a root names it', () => {
  const path = scratch();
  const heap = owned(Heap.create(path, { limit: LIMIT, sync: true }));
  const seen = new Disk(path, 0);
  disk = seen;
  for (let i = 1; i <= 10; i++) {
    const ptr = heap.malloc(60);
    heap.view(ptr, 60).fill(i);
    heap.roots.set('latest', ptr);
    seen.look();
    seen.state = i; // acknowledged
  }
  unobserve();
  const copy = scratch();
  const property = fc.property(outage(seen.moments.length), ({ at, chosen, others }) => {
    const moment = seen.moments[at]!;
    put(copy, found(moment, chosen, others));
    using later = Heap.attach(copy);
    const ptr = later.roots.get('latest');
    const bytes = ptr === 0 ? Buffer.alloc(60) : later.view(ptr, 60);
    expect([moment.state, moment.state + 1]).toContain(bytes[0]);
    expect(new Set(bytes).size).toBe(1);
  });
  fc.assert(property, { numRuns: 300 });
});

it('the power goes again while that is repaired', () => {
  const moments = worked(scratch(), 4, 60).filter(({ state }) =>
    /realloc|set|delete/.test(state.operation.name),
  );
  const path = scratch();
  fc.assert(
    fc.property(outage(moments.length), fc.array(outage(10_000), { maxLength: 30 }), (first, more) => {
      const { state } = moments[first.at]!;
      put(path, found(moments[first.at]!, first.chosen, first.others));
      const seen = new Disk(path, state);
      disk = seen;
      Heap.attach(path, { sync: true }).region.mapping.close(); // not the heap: the power is gone
      const { moments: later } = seen;
      disk = undefined;
      for (const { at, chosen, others } of more) {
        put(path, found(later[at % later.length]!, chosen, others));
        compare(path, state);
      }
    }),
    { numRuns: 30 },
  );
});

it('an operation returns when the disk has it, and what was written to blocks before', (context) => {
  unobserve();
  const path = scratch();
  const heap = owned(Heap.create(path, { limit: LIMIT, sync: true }));
  const fd = openSync(path, 'r+');
  const waiting = (): number => {
    const { nr_dirty, nr_writeback } = cachestat(fd, 0, 0);
    return nr_dirty + nr_writeback;
  };
  try {
    const ptr = heap.malloc(9000);
    heap.roots.set('it', ptr);
    fill(heap, ptr, 7);
    if (waiting() === 0) return context.skip('this filesystem does not tell what waits for its disk');
    for (const [name, run] of [
      ['roots.set', () => heap.roots.set('it', ptr)],
      ['calloc', () => void heap.calloc(1, 5000)],
      ['realloc', () => void heap.realloc(heap.malloc(100), 90)],
      ['close', () => heap.close()],
    ] as const) {
      heap.view(ptr).fill(8);
      run();
      expect(waiting(), name).toBe(0);
    }
  } finally {
    closeSync(fd);
  }
});

it('a write that failed fails every operation from then on', () => {
  unobserve();
  const path = scratch();
  const heap = Heap.create(path, { limit: LIMIT, sync: true });
  const ptr = heap.malloc(50_000);
  const bytes = heap.view(ptr);
  truncateSync(path, 4096 + 4096 + 40_000);
  expect(bytes[45_000]).toBe(0);
  for (const call of [
    () => heap.malloc(1),
    () => heap.roots.set('it', ptr),
    () => heap.free(ptr),
    () => heap.close(),
  ])
    expect(code(call)).toBe('ERR_MEMPROBE_FAULTED');
  expect(heap.closed).toBe(true);
});

it('only a file that is written can be written through', () => {
  unobserve();
  const path = scratch();
  Heap.create(path, { sync: true }).close();
  expect(code(() => Heap.create('memory', { sync: true }))).toBe('ERR_OUT_OF_RANGE');
  expect(code(() => Heap.attach(path, { mode: 'read', sync: true }))).toBe('ERR_OUT_OF_RANGE');
  expect(code(() => Heap.attach(path, { sync: Object('yes') }))).toBe('ERR_INVALID_ARG_TYPE');
});
