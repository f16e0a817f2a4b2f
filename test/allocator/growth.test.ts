import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { createAllocator, M_TOP_PAD, TsAllocator } from '../../lib/allocator/index.js';

const GIB = 2 ** 30;

/** Buffers that change their length, which the types of ES2023 do not have. */
const ResizableBuffer: new (length: number, options: { maxByteLength: number }) => ArrayBuffer = ArrayBuffer;
const GrowableBuffer: new (length: number, options: { maxByteLength: number }) => SharedArrayBuffer =
  SharedArrayBuffer;

interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
const wasm: { Memory: new (pages: object) => WasmMemory } = Reflect.get(globalThis, 'WebAssembly');

function longer(buffer: ArrayBuffer, bytes: number): ArrayBuffer {
  const next = new ArrayBuffer(bytes);
  new Uint8Array(next).set(new Uint8Array(buffer));
  return next;
}

/** A heap over a callback: a new buffer each time, the old bytes copied. */
function calledBack(): TsAllocator {
  let buffer = new ArrayBuffer(0);
  return new TsAllocator({
    grow: (bytes) => (bytes > 2 ** 22 ? undefined : (buffer = longer(buffer, bytes))),
  });
}

describe.each<[string, () => TsAllocator]>([
  ['its own memory', () => new TsAllocator({ limit: 2 ** 22 })],
  [
    'a resizable ArrayBuffer',
    () => new TsAllocator({ buffer: new ResizableBuffer(8192, { maxByteLength: 2 ** 22 }) }),
  ],
  [
    'a growable SharedArrayBuffer',
    () => new TsAllocator({ buffer: new GrowableBuffer(8192, { maxByteLength: 2 ** 22 }) }),
  ],
  ['a WebAssembly.Memory', () => new TsAllocator({ memory: new wasm.Memory({ initial: 1, maximum: 64 }) })],
  [
    'a shared WebAssembly.Memory',
    () => new TsAllocator({ memory: new wasm.Memory({ initial: 1, maximum: 64, shared: true }) }),
  ],
  ['a callback', calledBack],
])('a heap over %s', (_, make) => {
  it('grows to its limit, keeping offsets and content, and then says null', () => {
    const heap = make();
    const pointers: number[] = [];
    for (let ptr = heap.malloc(1000); ptr !== 0; ptr = heap.malloc(1000)) {
      new Uint8Array(heap.buffer, ptr, 1000).fill(pointers.length & 255);
      pointers.push(ptr);
    }
    expect(pointers.length).toBeGreaterThan(4100);
    expect(heap.peak).toBeLessThanOrEqual(2 ** 22);
    heap.check();
    pointers.forEach((ptr, i) => {
      expect(new Uint8Array(heap.buffer, ptr, 1000).every((byte) => byte === (i & 255))).toBe(true);
      heap.free(ptr);
    });
    expect(heap.malloc(4_000_000)).not.toBe(0);
    heap.check();
  });

  it('grows the last block where it stands', () => {
    const heap = make();
    const ptr = heap.malloc(1000);
    expect(heap.realloc(ptr, 1_000_000)).toBe(ptr);
    heap.check();
  });
});

describe('a heap in a fixed buffer', () => {
  it('uses it to the end, and keeps to a limit below that', () => {
    const whole = new TsAllocator({ buffer: new ArrayBuffer(2 ** 20) });
    const half = new TsAllocator({ buffer: new ArrayBuffer(2 ** 20), limit: 2 ** 19 });
    while (whole.malloc(100) !== 0);
    while (half.malloc(100) !== 0);
    expect(whole.peak).toBeGreaterThan(2 ** 20 - 200);
    expect(half.peak).toBeGreaterThan(2 ** 19 - 200);
    expect(half.peak).toBeLessThanOrEqual(2 ** 19);
  });

  it('goes on in another heap over the same bytes, and over a copy of them', () => {
    const heap = new TsAllocator({ buffer: new ArrayBuffer(2 ** 16) });
    const ptr = heap.malloc(100);
    const again = new TsAllocator({ buffer: heap.buffer.slice(0) });
    expect(again.malloc_usable_size(ptr)).toBe(heap.malloc_usable_size(ptr));
    again.free(ptr);
    expect(() => again.free(ptr)).toThrow();
    heap.free(ptr);
  });

  it('goes on in another thread', async () => {
    const buffer = new SharedArrayBuffer(2 ** 16);
    const heap = new TsAllocator({ buffer });
    const ptr = heap.malloc(5);
    new Uint8Array(buffer, ptr, 5).set([1, 2, 3, 4, 5]);
    const there = new URL('../../dist/allocator/ts_allocator.js', import.meta.url).href;
    const worker = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads');
       import(workerData.there).then(({ TsAllocator }) => {
         const heap = new TsAllocator({ buffer: workerData.buffer });
         heap.free(workerData.ptr);
         parentPort.postMessage(heap.malloc(5));
       });`,
      { eval: true, workerData: { there, buffer, ptr } },
    );
    const other = await new Promise((resolve, reject) =>
      worker.once('message', resolve).once('error', reject),
    );
    await worker.terminate();
    expect(other).toBe(ptr);
    heap.check();
    heap.free(ptr);
  });
});

describe('malloc_trim', () => {
  it('shrinks a resizable buffer to what is in use, and keeps the pad', () => {
    const heap = new TsAllocator({ buffer: new ResizableBuffer(8192, { maxByteLength: 2 ** 22 }) });
    const keep = heap.malloc(10);
    heap.free(heap.malloc(2 ** 20));
    expect(heap.malloc_trim(100_000)).toBe(1);
    expect(heap.buffer.byteLength).toBeGreaterThan(100_000);
    expect(heap.malloc_trim(0)).toBe(1);
    expect(heap.buffer.byteLength).toBeLessThan(20_000);
    expect(heap.malloc_trim(0)).toBe(0);
    heap.check();
    heap.free(keep);
    expect(heap.malloc(2 ** 20)).not.toBe(0);
    heap.check();
  });
});

describe('a saved state', () => {
  it('brings back what was live then, in the same heap and in another', () => {
    const heap = new TsAllocator({ limit: 2 ** 20 });
    const ptr = heap.malloc(100);
    new Uint8Array(heap.buffer, ptr, 100).fill(7);
    const state = heap.malloc_get_state();
    heap.free(ptr);
    heap.malloc(50_000);
    const other = new TsAllocator({ limit: 2 ** 20 });
    for (const target of [heap, other]) {
      target.malloc_set_state(state);
      target.check();
      expect(new Uint8Array(target.buffer, ptr, 100).every((byte) => byte === 7)).toBe(true);
      target.free(ptr);
    }
  });
});

describe('statistics', () => {
  it('add up to what a walk finds', () => {
    const heap = new TsAllocator({ limit: 2 ** 20 });
    const pointers = Array.from({ length: 100 }, (_, i) => heap.malloc(i * 100));
    pointers.forEach((ptr, i) => i % 2 === 0 && heap.free(ptr));
    const info = heap.mallinfo2();
    const sum = { used: 0, cached: 0, free: 0 };
    for (const { size, state } of heap.walk()) sum[state] += size;
    expect(info.fsmblks).toBe(sum.cached);
    expect(info.fordblks - info.keepcost - info.fsmblks).toBe(sum.free);
    expect(info.uordblks + info.fordblks).toBe(info.arena);
    expect(info.uordblks).toBeGreaterThanOrEqual(sum.used);
  });
});

it('blocks of one size in a row are cut off a hole some at a time, and lie side by side', () => {
  const heap = new TsAllocator({ buffer: new ArrayBuffer(2 ** 20) });
  const hole = heap.malloc(100_000);
  heap.malloc(8); // keeps the hole from the top
  heap.free(hole);
  const first = heap.malloc(16);
  expect(heap.mallinfo2().smblks).toBe(0);
  const second = heap.malloc(16);
  const { smblks } = heap.mallinfo2();
  expect(smblks).toBeGreaterThan(1);
  heap.check();
  const others = Array.from({ length: smblks }, () => heap.malloc(16));
  expect(heap.mallinfo2().smblks).toBe(0);
  expect([second, ...others]).toEqual(Array.from({ length: smblks + 1 }, (_, i) => first + 24 * (i + 1)));
  heap.check();
});

it('mallopt takes M_TOP_PAD, which the heap then grows by, and says 0 to anything else', () => {
  const heap = new TsAllocator({ buffer: new ResizableBuffer(8192, { maxByteLength: 2 ** 22 }) });
  expect(heap.mallopt(M_TOP_PAD, 2 ** 20)).toBe(1);
  expect(heap.mallopt(1, 64)).toBe(0);
  heap.malloc(8000);
  expect(heap.buffer.byteLength).toBeGreaterThan(2 ** 20);
});

it('createAllocator gives the one of the C library where the addon loads, and says so', () => {
  const allocator = createAllocator();
  expect(allocator.kind).toBe('libc');
});

describe('a large heap', () => {
  // Touches only the pages that it writes to; the rest are addresses.
  it.each([2 * GIB + 2 ** 20, 4 * GIB])('of %i bytes works at both ends', (bytes) => {
    const heap = new TsAllocator({ limit: bytes });
    const low = heap.malloc(100);
    const filler = heap.malloc(bytes - 2 ** 20);
    const pointers = [heap.malloc(1000), heap.malloc(6000), heap.malloc(1000)];
    expect(filler).not.toBe(0);
    for (const ptr of pointers) {
      expect(ptr).toBeGreaterThan(2 * GIB);
      new Uint8Array(heap.buffer, ptr, 1000).fill(1);
    }
    heap.check();
    for (const ptr of [...pointers, filler, low]) heap.free(ptr);
    heap.malloc_trim(0);
    expect([...heap.walk()]).toEqual([]);
  });
});

describe('a buffer of 4 GiB and more', () => {
  // In a process of its own: its pages go with it. The filler's are addresses only.
  const program = (bytes: number): string => `
    import { TsAllocator } from '${new URL('../../dist/allocator/ts_allocator.js', import.meta.url).href}';
    let buffer;
    try {
      buffer = new ArrayBuffer(${bytes});
    } catch (error) {
      console.log('refused', error.message);
      process.exit();
    }
    const heap = new TsAllocator({ buffer });
    const fillers = [];
    for (let left = ${bytes} - 2 ** 20; left > 0; left -= 2 ** 30) fillers.push(heap.malloc(Math.min(left, 2 ** 30)));
    const pointers = Array.from({ length: 500 }, (_, i) => heap.malloc(i));
    pointers.forEach((ptr, i) => new Uint8Array(buffer, ptr, i).fill(i));
    for (let i = 0; i < 500; i += 2) heap.free(pointers[i]);
    for (let i = 0; i < 500; i += 2) pointers[i] = heap.realloc(heap.malloc(i), 2 * i + 1);
    heap.check();
    const kept = pointers.every((ptr, i) => i % 2 === 0 || new Uint8Array(buffer, ptr, i).every((x) => x === i % 256));
    const high = Math.min(...pointers) > ${bytes} - 2 ** 21;
    for (const ptr of [...pointers, ...fillers]) heap.free(ptr);
    heap.malloc_trim(0);
    heap.check();
    console.log(kept, high, [...heap.walk()].filter(({ state }) => state !== 'free').length);`;

  it.for([4, 6, 16])('of %i GiB works at its end', async (gib, { skip }) => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '--eval',
      program(gib * GIB),
    ]);
    skip(stdout.startsWith('refused'), `no ArrayBuffer of ${gib} GiB here: ${stdout}`);
    expect(stdout).toBe('true true 0\n');
  });
});

describe('a reserved buffer', () => {
  it('is used as far as its room goes, which grows and shrinks with the heap', () => {
    const room = {
      buffer: new ArrayBuffer(2 ** 22),
      length: 16_384,
      resize: (bytes: number) => bytes <= 2 ** 20 && ((room.length = bytes), true),
    };
    const heap = new TsAllocator({ room });
    const keep = heap.malloc(10);
    const large = heap.malloc(900_000);
    expect(room.length).toBeGreaterThan(900_000);
    expect(heap.malloc(200_000)).toBe(0);
    heap.free(large);
    expect(heap.malloc_trim(0)).toBe(1);
    expect(room.length).toBeLessThan(20_000);
    heap.free(keep);
    heap.check();
  });
});

it('resize changes a block where it stands, or not at all', () => {
  const heap = new TsAllocator({ limit: 2 ** 20 });
  const ptr = heap.malloc(1000);
  const wall = heap.malloc(10);
  expect(heap.resize(ptr, 2000)).toBe(false);
  expect(heap.malloc_usable_size(ptr)).toBeLessThan(2000);
  expect(heap.resize(ptr, 100)).toBe(true);
  expect(heap.resize(ptr, 900)).toBe(true);
  expect(() => heap.resize(wall, -1)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  heap.check();
});

it('a trusted heap is taken up without a look at its blocks', () => {
  const heap = new TsAllocator({ buffer: new ArrayBuffer(2 ** 16) });
  new Int32Array(heap.buffer)[heap.malloc(100) / 4 - 1] = 0;
  expect(() => new TsAllocator({ buffer: heap.buffer })).toThrow(
    expect.objectContaining({ code: 'ERR_MEMPROBE_HEAP_CORRUPT' }),
  );
  expect(() => new TsAllocator({ buffer: heap.buffer, trusted: true })).not.toThrow();
});
