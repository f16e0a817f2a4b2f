/** The replays themselves: the addon's, and those in JavaScript. */
import { describe, expect, test } from 'vitest';
import type { Contender, Ops } from '../../lib/compare/contender.js';
import { Batched, Calls } from '../../lib/compare/glibc.js';
import { makeWorkload } from '../../lib/compare/workloads.js';
import { TypeScript } from '../../lib/compare/typescript.js';
import { needHeapRoom } from '../../lib/lab/heap.js';
import { native } from '../../lib/native.js';
import { said, underSanitizer } from '../helpers/child.js';

if (underSanitizer) console.warn("SKIPPED: the heap is the sanitizer's, not glibc's");
const GLIBC = new URL('../../dist/compare/glibc.js', import.meta.url).href;
const bytes = (...numbers: number[]): Uint8Array => new Uint8Array(Int32Array.from(numbers).buffer);
const { replay_open, replay_run, replay_walk, replay_cells } = native.libc;

describe('the replay of the addon', () => {
  const replay = replay_open(4);

  test.each([
    ['a slot beyond the last', bytes(4, 16)],
    ['a slot below the first', bytes(-1, 16)],
    ['half an operation', bytes(0, 16).subarray(0, 6)],
    ['operations that are not aligned', bytes(0, 0, 0, 0).subarray(2, 10)],
  ])('%s is EINVAL, and nothing is replayed', (_, operations) => {
    expect(() => replay_run(replay, operations, 1)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => replay_walk(replay, operations, 0n, 1)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  test('is told apart from other objects', () => {
    for (const other of [{}, native.libc.mtrace_log(1), undefined])
      expect(() => Reflect.apply(replay_run, undefined, [other, bytes(0, 16), 1])).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
    expect(() => replay_open(2 ** 32)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => replay_walk(replay, bytes(), 0n, 2 ** 40)).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    expect(() => replay_cells(replay, 0n, 0)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  test.skipIf(underSanitizer)('allocates, reallocates and frees as glibc counts it', async () => {
    const [held = 0, left] = await said(`
      const operations = (...numbers) => new Uint8Array(Int32Array.from(numbers).buffer);
      const inUse = () => libc.mallinfo2().uordblks + libc.mallinfo2().hblkhd;
      const replay = libc.replay_open(4);
      const before = inUse();
      libc.replay_run(replay, operations(0, 5e7, 1, 6e7, 0, -7e7), 1);
      say(inUse() - before);
      libc.replay_run(replay, operations(0, 0, 1, 0), 3);
      say(inUse() - before);`);
    // Node's other threads allocate and free meanwhile.
    expect(held).toBeGreaterThan(12.5e7);
    expect(held).toBeLessThan(13.5e7);
    expect(left).toBeLessThan(1e6);
  });
});

/** In about 1 of 140 processes V8's code lies right above the heap. */
const grows = await needHeapRoom(2 ** 28).then(
  () => true,
  () => false,
);
if (!grows) console.warn('SKIPPED: glibc: the heap of this process cannot grow');

const MAKERS: [name: string, make: (slots: number) => Contender][] = [
  ['TsAllocator', (slots) => new TypeScript(slots)],
];
if (grows) {
  MAKERS.push(
    ['glibc in C', (slots) => new Batched(slots)],
    ['glibc called from JavaScript', (slots) => new Calls(slots)],
  );
}

describe.skipIf(underSanitizer).each(MAKERS)('%s', (_, make) => {
  const { ops, slots, peakLive } = makeWorkload('larson');

  test('reaches as far as the workload needs, and all of that is resident', () => {
    const contender = make(slots);
    const { peak, failed, resident, faults } = contender.walk(ops, 10);
    expect(failed).toBe(0);
    expect(peak).toBeGreaterThanOrEqual(peakLive);
    expect(resident.length).toBe(10);
    expect(Math.max(...Array.from(resident))).toBeGreaterThanOrEqual(peakLive);
    expect(faults.minor).toBeGreaterThan(peakLive / 4096 / 2);
  });

  test('its picture has what is live', () => {
    const contender = make(slots);
    const half: Ops = ops.subarray(0, ops.length / 2);
    contender.walk(half, 1);
    const used = Array.from(contender.cells(4096)).reduce((sum, full) => sum + full, 0) * 4096;
    expect(used).toBeGreaterThan(peakLive * 0.9);
    expect(used).toBeLessThan(peakLive * 1.2);
    for (const full of Array.from(contender.cells(4096))) expect(full).toBeLessThanOrEqual(1.0001);
    contender.walk(ops.subarray(ops.length / 2), 1);
  });

  test('blocks that are mapped apart count, as long as they are there', () => {
    const contender = make(2);
    const large = 8 << 20;
    const { peak } = contender.walk(Int32Array.from([0, large, 0, 0, 1, large, 1, -2 * large, 1, 0]), 5);
    expect(peak).toBeGreaterThanOrEqual(2 * large);
    expect(peak).toBeLessThan(4 * large);
  });

  test('runs as often as it is told to, and ends with nothing live', () => {
    const contender = make(2);
    contender.run(Int32Array.from([0, 100, 1, 50, 0, -1000, 0, 0, 1, 0]), 100);
    expect(Array.from(contender.cells(4096)).reduce((sum, full) => sum + full, 0)).toBe(0);
  });
});

test('TsAllocator without room for a block says so, and goes on', () => {
  const contender = new TypeScript(3);
  const { failed } = contender.walk(Int32Array.from([0, 1000, 0, -(2 ** 31 - 1), 1, 2 ** 31 - 1, 0, 0]), 1);
  expect(failed).toBe(2);
  contender.walk(Int32Array.from([0, 2000, 0, 0]), 1);
});

test.skipIf(underSanitizer)('where the heap cannot grow, taking what is free on it ends', async () => {
  const code = `
    // EEXIST: it can't anyway.
    outcome(() => libc.mmap(libc.sbrk(0), 4096, 0, c.MAP_PRIVATE | c.MAP_ANONYMOUS | c.MAP_FIXED_NOREPLACE, -1, 0));
    while (libc.malloc(60000) < libc.sbrk(0)); // the heap is full, glibc goes on elsewhere
    import(${JSON.stringify(GLIBC)}).then(({ Batched }) => say(new Batched(1).walk(new Int32Array(2), 1).failed));`;
  expect(await said(code, { timeout: 60_000 })).toEqual([0]);
});
