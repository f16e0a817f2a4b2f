/** A crash between any two stores of any operation: what is found afterwards is the heap before it, or behind it. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Heap } from '../../lib/heap/index.js';
import { repair } from '../../lib/heap/repair.js';
import { random } from '../allocator/model.js';
import { choose, fill, type Held, held, isOneOf, type Operation } from './operations.js';
import { goOn, stopAfter, storesOf, unwatchStores, watchStores } from './stepping.js';

beforeAll(watchStores);
afterEach(goOn);
afterAll(unwatchStores);

class Crash extends Error {}
const crash = (): never => {
  throw new Crash();
};

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
    isOneOf(held(heap), [before, after], before, operation);
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
