import { beforeAll, describe, expect, test } from 'vitest';
import { residentIn, sizeIn } from '../../lib/lab/bench.js';
import { mallocLab } from '../../lib/lab/malloc.js';
import { runLab } from '../../lib/lab/run.js';
import type { LabReport } from '../../lib/lab/report.js';
import { blockedHeap, changeOf, ENTRY, FEW, report, signsOf, stepOf } from './reports.js';

let found: LabReport;
beforeAll(async () => {
  found = await report('malloc');
});

const numbers = (id: string) => stepOf(found, id).numbers;

describe('memprobe lab malloc', () => {
  test('small blocks come from the heap, large ones are mappings of their own', () => {
    expect(numbers('small').place).toBe('[heap]');
    expect(signsOf(found, 'large', 'large block')).toBe('+');
    expect(sizeIn(changeOf(found, 'large'), 'large block')).toBe(257);
    expect(signsOf(found, 'free-large', 'large block')).toBe('-');
    expect(sizeIn(changeOf(found, 'free-small'), '[heap]')).toBe(0);
  });

  test('M_MMAP_THRESHOLD decides which is large', () => {
    expect(numbers('threshold').place).toBe('[heap]');
  });

  test('a block has at least the bytes that were asked for, in steps of 16 from 24 on', () => {
    const all = Object.entries(numbers('sizes')).map(([asked, usable]) => [Number(asked), Number(usable)]);
    expect(all.length).toBeGreaterThan(8);
    for (const [asked = 0, usable = 0] of all) {
      expect(usable).toBeGreaterThanOrEqual(Math.max(asked, 24));
      const mapped = asked > 1 << 20;
      expect(usable - Math.max(asked, 24)).toBeLessThan(mapped ? found.pageSize : 16 + 16);
      expect((usable + (mapped ? 16 : 8)) % 16).toBe(0);
    }
  });

  test('every way to an aligned block keeps its promise', () => {
    const rests = Object.entries(numbers('alignments')).filter(([name]) => !name.endsWith('usable'));
    expect(rests).toHaveLength(6);
    expect(rests.every(([, rest]) => rest === 0)).toBe(true);
    expect(numbers('alignments')['pvalloc(100) usable']).toBeGreaterThanOrEqual(found.pageSize);
  });

  test('realloc stays in place where there is room, and moves where there is none', () => {
    expect(numbers('grow').after).toBe(numbers('grow').before);
    expect(numbers('move').after).not.toBe(numbers('move').before);
  });

  test('realloc of a mapping moves its pages and copies nothing', () => {
    expect(numbers('mremap').kept).toBe(1);
    expect(Math.abs(Number(numbers('mremap').resident))).toBeLessThanOrEqual(FEW);
    expect(sizeIn(changeOf(found, 'mremap'), 'block')).toBe((4 << 20) / found.pageSize);
  });

  test('calloc gives zeroes where malloc leaves what was there', () => {
    expect(numbers('malloc')).toEqual({ same: true, byte: 0xee });
    expect(numbers('calloc').nonzero).toBe(0);
  });

  test('zeroes by hand take every page, those of calloc none but that of the header', () => {
    expect(residentIn(changeOf(found, 'by-hand'), 'block')).toBe(1025);
    expect(residentIn(changeOf(found, 'for-free'), 'block')).toBeLessThan(1025);
  });

  test('freed blocks stay resident until malloc_trim', () => {
    const taken = residentIn(changeOf(found, 'take'), '[heap]');
    expect(taken).toBeGreaterThan(2000);
    expect(Math.abs(residentIn(changeOf(found, 'free'), '[heap]'))).toBeLessThan(taken / 10);
    expect(numbers('free').free).toBeGreaterThan(999 * 10 * 1024);
    expect(numbers('trim').returned).toBe(1);
    expect(residentIn(changeOf(found, 'trim'), '[heap]')).toBeLessThan(-0.9 * taken);
  });

  test('arenas come with threads and stay when these end', () => {
    const { before, after } = numbers('threads');
    expect(after).toBeGreaterThan(Number(before));
    expect(numbers('ended').arenas).toBe(after);
    const reserved = changeOf(found, 'threads').maps.filter(({ perms }) => perms === '---p');
    expect(reserved.length).toBeGreaterThan(0);
  });

  test('where the heap cannot grow, other processes are tried, and then it says why', async () => {
    const run = runLab(mallocLab, { entry: ENTRY, flags: blockedHeap() });
    await expect(run).rejects.toThrow(/heap can't grow: .*5 processes/);
  });
});
