import { describe, expect, it } from 'vitest';
import { TsAllocator } from '../../lib/allocator/index.js';
import { LISTS } from '../../lib/allocator/layout.js';
import { random } from './model.js';

const SIZE = 64 * 1024;
const coded = (code: string): object => expect.objectContaining({ code });

/** A heap with blocks of every state: in use, cached, free. */
function lively(): TsAllocator {
  const heap = new TsAllocator({ buffer: new ArrayBuffer(SIZE) });
  const next = random(5);
  const live = Array.from({ length: 60 }, () => heap.malloc(next(10) === 0 ? 5000 : next(300)));
  live.forEach((ptr, i) => {
    if (i % 3 === 0) heap.free(ptr);
  });
  return heap;
}

describe('a pointer that is none', () => {
  it('outside the heap, in its state, beyond the top: ERR_MEMPROBE_BAD_POINTER', () => {
    const heap = lively();
    for (const ptr of [8, -8, 2 ** 40, SIZE - 8])
      expect(() => heap.free(ptr)).toThrow(coded('ERR_MEMPROBE_BAD_POINTER'));
  });

  it('misaligned, fractional, NaN, or no number', () => {
    const heap = lively();
    const ptr = heap.malloc(64);
    for (const wrong of [ptr + 1, ptr + 4, ptr + 0.5, Number.NaN]) {
      expect(() => heap.free(wrong)).toThrow(coded('ERR_MEMPROBE_BAD_POINTER'));
    }
    // @ts-expect-error a bigint is an address, not an offset
    expect(() => heap.free(8n)).toThrow(TypeError);
  });

  it('inside a block, of zeros or of text', () => {
    for (const fill of [0, 0x61, 0xff]) {
      const heap = lively();
      const ptr = heap.calloc(1, 200);
      new Uint8Array(heap.buffer, ptr, 200).fill(fill);
      for (let offset = 8; offset < 200; offset += 8) expect(() => heap.free(ptr + offset)).toThrow();
      heap.check();
    }
  });

  it('freed, whether it waits in the cache or was merged: ERR_MEMPROBE_DOUBLE_FREE or BAD_POINTER', () => {
    const heap = lively();
    const [small, large, merged] = [heap.malloc(50), heap.malloc(6000), heap.malloc(6000)];
    heap.malloc(7000);
    for (const ptr of [small, large, merged]) heap.free(ptr);
    expect(() => heap.free(small)).toThrow(coded('ERR_MEMPROBE_DOUBLE_FREE'));
    expect(() => heap.realloc(large, 10)).toThrow(coded('ERR_MEMPROBE_DOUBLE_FREE'));
    expect(() => heap.malloc_usable_size(merged)).toThrow(coded('ERR_MEMPROBE_BAD_POINTER'));
    heap.check();
  });
});

describe('a write beyond the end of a block', () => {
  it('is what check() finds, with the block behind it', () => {
    const heap = lively();
    const [ptr, next] = [heap.malloc(9000), heap.malloc(9000)];
    new Uint8Array(heap.buffer).fill(0xee, ptr, next);
    expect(() => heap.check()).toThrow(
      expect.objectContaining({ code: 'ERR_MEMPROBE_HEAP_CORRUPT', offset: next }),
    );
    expect(() => heap.free(ptr)).toThrow(coded('ERR_MEMPROBE_HEAP_CORRUPT'));
  });
});

describe('a buffer that is none', () => {
  it('too small', () => {
    expect(() => new TsAllocator({ buffer: new ArrayBuffer(100) })).toThrow(coded('ERR_MEMPROBE_BAD_HEAP'));
  });

  it('detached', () => {
    const heap = lively();
    const ptr = heap.malloc(8);
    const { buffer } = heap;
    if (buffer instanceof ArrayBuffer) structuredClone(buffer, { transfer: [buffer] });
    expect(() => new TsAllocator({ buffer })).toThrow(coded('ERR_MEMPROBE_BAD_HEAP'));
    expect(() => heap.free(ptr)).toThrow(coded('ERR_MEMPROBE_BAD_HEAP'));
    expect(() => heap.malloc(8)).toThrow(coded('ERR_MEMPROBE_BAD_HEAP'));
    expect(() => heap.check()).toThrow(coded('ERR_MEMPROBE_BAD_HEAP'));
  });

  it('of something else, or no buffer at all', () => {
    const buffer = new TextEncoder().encode('not a heap. '.repeat(1000)).buffer;
    expect(() => new TsAllocator({ buffer })).toThrow(coded('ERR_MEMPROBE_BAD_HEAP'));
    // @ts-expect-error a view is no buffer
    expect(() => new TsAllocator({ buffer: new Uint8Array(9000) })).toThrow(coded('ERR_INVALID_ARG_TYPE'));
    expect(() => new TsAllocator({ limit: -1 })).toThrow(coded('ERR_OUT_OF_RANGE'));
    // @ts-expect-error 8 or 16
    expect(() => new TsAllocator({ alignment: 4 })).toThrow(coded('ERR_OUT_OF_RANGE'));
  });

  it('truncated, as a buffer and as a saved state', () => {
    const heap = lively();
    const bytes = heap.malloc_get_state();
    const short = bytes.slice(0, -16);
    expect(() => new TsAllocator({ buffer: short.buffer })).toThrow(coded('ERR_MEMPROBE_BAD_HEAP'));
    expect(() => heap.malloc_set_state(short)).toThrow(coded('ERR_MEMPROBE_BAD_HEAP'));
    expect(() => heap.malloc_set_state(new Uint8Array(3))).toThrow(coded('ERR_MEMPROBE_BAD_HEAP'));
    heap.check();
  });
});

describe('a list that leads out of the heap', () => {
  it('is told without an address, since there is none', () => {
    const heap = lively();
    heap.free(heap.malloc(104));
    new Int32Array(heap.buffer).fill(-1, LISTS, LISTS + 40);
    const call = (): unknown => heap.malloc(104);
    expect(call).toThrow(coded('ERR_MEMPROBE_HEAP_CORRUPT'));
    expect(call).toThrow(/has lost its header: something wrote/);
  });
});

describe('10,000 flipped bits, one at a time', () => {
  const heap = lively();
  const image = new Uint8Array(heap.buffer).slice();
  const blocks = [...heap.walk()];
  const live = blocks.filter(({ state }) => state === 'used');
  const next = random(99);
  const extent = blocks.reduce((end, { ptr, size }) => Math.max(end, ptr + size), 0);

  const flipped = (): ArrayBuffer => {
    const bytes = image.slice();
    const bit = next(extent * 8);
    bytes[bit >>> 3]! ^= 1 << (bit & 7);
    return bytes.buffer;
  };

  it('are found when the heap is opened, or the heap works on to its end and stays whole', () => {
    let found = 0;
    for (let i = 0; i < 10_000; i++) {
      let copy: TsAllocator;
      try {
        copy = new TsAllocator({ buffer: flipped() });
      } catch (error) {
        expect(error).toHaveProperty('code', expect.stringMatching(/^ERR_MEMPROBE_/));
        found++;
        continue;
      }
      for (const { ptr } of live) copy.free(ptr);
      copy.malloc_trim(0);
      copy.check();
      expect(copy.walk().next().done).toBe(true);
    }
    expect(found).toBeGreaterThan(500);
  });

  it('under a heap at work end in an error or not at all, never in a loop or beyond the buffer', () => {
    for (let i = 0; i < 1000; i++) {
      const buffer = image.slice().buffer;
      const copy = new TsAllocator({ buffer });
      new Uint8Array(buffer).set(new Uint8Array(flipped()));
      try {
        for (const { ptr } of live) {
          copy.free(ptr);
          const other = copy.malloc(next(400));
          expect(other + 1).toBeLessThanOrEqual(SIZE);
        }
        copy.malloc_trim(0);
      } catch (error) {
        expect(error).toHaveProperty('code', expect.stringMatching(/^ERR_MEMPROBE_/));
      }
    }
  });
});
