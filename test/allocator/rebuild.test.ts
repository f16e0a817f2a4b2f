import { describe, expect, it } from 'vitest';
import { TsAllocator } from '../../lib/allocator/index.js';
import { rebuild } from '../../lib/allocator/rebuild.js';
import { random } from './model.js';

const used = (heap: TsAllocator): number[] =>
  [...heap.walk()].filter(({ state }) => state === 'used').map(({ ptr }) => ptr);

/** Names the units of the blocks, and then 0. */
const namer = (pointers: readonly number[]): (() => number) => {
  const rest = pointers.map((ptr) => ptr / 8).values();
  return () => rest.next().value ?? 0;
};

function stop(): never {
  throw new Error('stop');
}

/** A heap that has seen some thousand operations. */
function worn(alignment: 8 | 16): { heap: TsAllocator; words: Int32Array } {
  const buffer = new ArrayBuffer(2 ** 20);
  const heap = new TsAllocator({ buffer, alignment });
  const next = random(alignment);
  const pointers: number[] = [];
  for (let i = 0; i < 5000; i++) {
    if (next(3) > 0) pointers.push(heap.malloc(next(next(9) === 0 ? 3000 : 80)));
    else heap.free(pointers.splice(next(pointers.length), 1)[0] ?? 0);
  }
  return { heap, words: new Int32Array(buffer) };
}

describe.each([8, 16] as const)(
  'a heap that is rebuilt around its used blocks, alignment %i',
  (alignment) => {
    it('is whole, has the same blocks with the same content, and goes on', () => {
      const { heap, words } = worn(alignment);
      const pointers = used(heap);
      for (const ptr of pointers) words.fill(ptr, ptr / 4, ptr / 4 + 2);
      words.fill(-1, 0, 1000); // the state, all lists
      rebuild(words, alignment, namer(pointers));
      heap.check();
      expect(used(heap)).toEqual(pointers);
      for (const ptr of pointers) expect(words[ptr / 4]).toBe(ptr);
      for (const ptr of pointers) heap.free(ptr);
      heap.malloc_trim(0);
      expect([...heap.walk()]).toEqual([]);
    });

    it('is empty where none is in use', () => {
      const { heap, words } = worn(alignment);
      rebuild(words, alignment, () => 0);
      heap.check();
      expect([...heap.walk()]).toEqual([]);
    });

    it('can be begun again after an interruption', () => {
      const { heap, words } = worn(alignment);
      const pointers = used(heap);
      const half = namer(pointers.slice(0, pointers.length / 2));
      expect(() => rebuild(words, alignment, () => half() || stop())).toThrow('stop');
      rebuild(words, alignment, namer(pointers));
      heap.check();
      expect(used(heap)).toEqual(pointers);
    });
  },
);

it('a block in use whose header is gone is an error that names it', () => {
  const { heap, words } = worn(8);
  const pointers = used(heap);
  const lost = pointers[10] ?? 0;
  words[lost / 4 - 1] = 0;
  expect(() => rebuild(words, 8, namer(pointers))).toThrow(
    expect.objectContaining({ code: 'ERR_MEMPROBE_HEAP_CORRUPT', offset: lost }),
  );
});

it('a gap of more than the longest block becomes several', () => {
  // Addresses only: three words of 4 GiB are touched.
  const heap = new TsAllocator({ buffer: new ArrayBuffer(6 * 2 ** 30) });
  const low = heap.malloc(100);
  const filler = [heap.malloc(3 * 2 ** 30), heap.malloc(2 ** 30 + 5e8)];
  const high = heap.malloc(100);
  expect([low, ...filler, high]).not.toContain(0);
  rebuild(new Int32Array(heap.buffer), 8, namer([low, high]));
  heap.check();
  expect(used(heap)).toEqual([low, high]);
});
