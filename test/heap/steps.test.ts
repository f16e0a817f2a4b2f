/** A crash between any two stores of any operation: what is found afterwards is the heap before it, or behind it. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Heap } from '../../lib/heap/index.js';
import { repair } from '../../lib/heap/repair.js';
import { random } from '../allocator/model.js';
import { goOn, stopAfter, storesOf, unwatchStores, watchStores } from './stepping.js';

beforeAll(watchStores);
afterEach(goOn);
afterAll(unwatchStores);

class Crash extends Error {}
const crash = (): never => {
  throw new Crash();
};

/** What a heap holds: blocks with their content, and roots. */
interface Held {
  readonly blocks: Map<number, Uint8Array>;
  readonly roots: Map<string, number>;
}

/** The blocks without those of the roots' list. */
function held(heap: Heap): Held {
  const nodes = new Set(heap.roots.nodes());
  const used = [...heap.walk()].filter(({ ptr, state }) => state === 'used' && !nodes.has(ptr));
  return {
    blocks: new Map(used.map(({ ptr }) => [ptr, heap.view(ptr).slice()])),
    roots: new Map(heap.roots.list().map(({ name, ptr }) => [name, ptr])),
  };
}

/** Copies of everything, to be put back. */
function saved({ region }: Heap): () => void {
  const parts = [region.header, region.live, region.words];
  const bytes = parts.map((part, i) => {
    const whole = new Uint8Array(
      part.buffer,
      0,
      i === 0 ? 512 : i === 1 ? region.length / 64 : region.length,
    );
    return [whole, whole.slice()] as const;
  });
  return () => bytes.forEach(([whole, copy]) => whole.set(copy));
}

interface Operation {
  readonly name: string;
  readonly run: () => void;
  /** The block whose content may have been cut to `kept` bytes, in either of its places. */
  readonly resized?: { readonly from: number; readonly kept: number };
}

const fill = (heap: Heap, ptr: number, tag: number): void => void (ptr !== 0 && heap.view(ptr).fill(tag));

function choose(heap: Heap, { blocks, roots }: Held, next: (below: number) => number): Operation {
  const pointers = [...blocks.keys()].filter((ptr) => ![...roots.values()].includes(ptr));
  const chosen = pointers[next(pointers.length)] ?? 0;
  const size = next(next(4) === 0 ? 9000 : 120);
  const alignment = 64 << next(4);
  const root = `root ${next(5)}`;
  const roll = next(12);
  if (roll < 4 || chosen === 0) return { name: `malloc ${size}`, run: () => void heap.malloc(size) };
  if (roll === 4) return { name: `memalign ${size}`, run: () => void heap.memalign(alignment, size) };
  if (roll < 7) return { name: `free ${chosen}`, run: () => heap.free(chosen) };
  if (roll < 10) {
    const kept = Math.min(size, blocks.get(chosen)?.length ?? 0);
    return {
      name: `realloc ${chosen} ${size}`,
      run: () => void heap.realloc(chosen, size + 1),
      resized: { from: chosen, kept },
    };
  }
  if (roll === 10) return { name: `set ${root}`, run: () => heap.roots.set(root, chosen) };
  return { name: `delete ${root}`, run: () => void heap.roots.delete(root) };
}

/** `now` is what was there `before`, or what is there `after`: every block in place with its content, no other. */
function isOneOf(now: Held, before: Held, after: Held, { resized }: Operation): void {
  const same = (whole: Held): boolean =>
    [...now.blocks.keys()].join() === [...whole.blocks.keys()].join() &&
    [...now.roots].sort().join() === [...whole.roots].sort().join();
  expect([before, after].some(same)).toBe(true);
  for (const [ptr, bytes] of before.blocks) {
    const found = now.blocks.get(ptr);
    if (found !== undefined && ptr !== resized?.from) expect(Buffer.compare(found, bytes), `${ptr}`).toBe(0);
  }
  if (resized === undefined) return;
  const moved = [...now.blocks.keys()].find((ptr) => !before.blocks.has(ptr));
  const content = now.blocks.get(moved ?? resized.from)?.subarray(0, resized.kept);
  expect(
    Buffer.compare(content ?? Buffer.alloc(0), before.blocks.get(resized.from)!.subarray(0, resized.kept)),
  ).toBe(0);
}

function crashAtEveryStore(heap: Heap, operation: Operation, before: Held): number {
  const restore = saved(heap);
  const stores = storesOf(operation.run);
  const after = held(heap);
  for (let count = 0; count < stores; count++) {
    restore();
    stopAfter(count, crash);
    expect(operation.run, operation.name).toThrow(Crash);
    goOn();
    repair(heap.region);
    heap.check();
    isOneOf(held(heap), before, after, operation);
  }
  restore();
  operation.run();
  return stores;
}

it.each([1, 2])(
  'every crash between two stores leaves the heap before or behind the operation (seed %i)',
  (seed) => {
    const heap = Heap.create('memory', { limit: 2 ** 20 });
    const next = random(seed);
    let points = 0;
    for (let i = 0; i < 70; i++) {
      const before = held(heap);
      points += crashAtEveryStore(heap, choose(heap, before, next), before);
      for (const [ptr] of held(heap).blocks) if (!before.blocks.has(ptr)) fill(heap, ptr, next(256));
      heap.check();
    }
    expect(points).toBeGreaterThan(500);
    heap.close();
  },
);

it.each([1, 2])('a crash at any store of a repair is repaired (seed %i)', (seed) => {
  const heap = Heap.create('memory', { limit: 2 ** 20 });
  const next = random(seed);
  for (let i = 0; i < 60; i++) {
    const operation = choose(heap, held(heap), next);
    operation.run();
  }
  const before = held(heap);
  const restore = saved(heap);
  const stores = storesOf(() => repair(heap.region));
  for (let count = 0; count < stores; count++) {
    restore();
    stopAfter(count, crash);
    expect(() => repair(heap.region)).toThrow(Crash);
    goOn();
    repair(heap.region);
    heap.check();
    expect(held(heap)).toEqual(before);
  }
  heap.close();
});
