/** The table of live blocks against a Map, step by step. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LiveBlocks } from '../../lib/mtrace/live.js';

const half = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.constantFrom(0, 16, 32, 48, 64));
const step = fc.tuple(fc.boolean(), fc.constantFrom(0, -1, 21_930), half, fc.nat());

test('it holds what a Map would hold, through collisions, growth and removal', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const live = new LiveBlocks();
      const model = new Map<string, number>();
      for (const [isAdd, high, low, size] of steps) {
        const key = `${high} ${low}`;
        if (isAdd) expect(live.add(high, low, size, 1, 1)).toBe(!model.has(key));
        else expect(live.remove(high, low)).toBe(model.has(key));
        if (!isAdd) model.delete(key);
        else if (!model.has(key)) model.set(key, size);
        expect(live.count).toBe(model.size);
      }
      expect([...live.columns().size].sort()).toEqual([...model.values()].sort());
    }),
  );
});

test('a hundred thousand blocks are all found again, and none is left', () => {
  const live = new LiveBlocks();
  const places = Array.from({ length: 100_000 }, (_, i) => i);
  const added = places.filter((i) => live.add(21_930, i * 32, i, i % 7, i));
  expect([added.length, live.count]).toEqual([100_000, 100_000]);
  expect(live.columns().address.toSorted()[99_999]).toBe((21_930n << 32n) | (99_999n * 32n));
  const removed = places.filter((i) => i % 2 === 0 && live.remove(21_930, i * 32));
  const rest = places.filter((i) => live.remove(21_930, i * 32));
  expect([removed.length, rest.length, rest.every((i) => i % 2 === 1)]).toEqual([50_000, 50_000, true]);
  expect(live.columns().address).toHaveLength(0);
});
