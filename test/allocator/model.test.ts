import { describe, expect, it } from 'vitest';
import { TsAllocator } from '../../lib/allocator/index.js';
import { Model, random } from './model.js';

/** Steps in all; the long run sets a million. */
const STEPS = Number(process.env.MEMPROBE_TEST_STEPS ?? 6000);
const SEEDS = [1, 2, 3];

describe.each([8, 16] as const)('random operations, alignment %i', (alignment) => {
  it.each(SEEDS)(
    'agree with a naive model, the heap whole after every step (seed %i)',
    { timeout: STEPS * 20 + 30_000 },
    (seed) => {
      const heap = new TsAllocator({ alignment, limit: 2 ** 20 });
      const model = new Model(heap, random(seed * 7919));
      model.run(Math.ceil(STEPS / SEEDS.length / 2));
      model.drain();
      heap.malloc_trim(0);
      heap.check();
      expect([...heap.walk()]).toEqual([]);
    },
  );
});

it('random operations in a heap that is full most of the time fail cleanly', () => {
  const heap = new TsAllocator({ buffer: new ArrayBuffer(64 * 1024) });
  const model = new Model(heap, random(42), 1000);
  model.run(3000);
  model.drain();
  heap.malloc_trim(0);
  heap.check();
  expect([...heap.walk()]).toEqual([]);
});
