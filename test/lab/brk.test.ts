import { beforeAll, describe, expect, test } from 'vitest';
import { residentIn, sizeIn } from '../../lib/lab/bench.js';
import { runLab } from '../../lib/lab/run.js';
import { brkLab } from '../../lib/lab/brk.js';
import { LabError } from '../../lib/lab/errors.js';
import type { LabReport } from '../../lib/lab/report.js';
import { blockedHeap, changeOf, ENTRY, report, stepOf } from './reports.js';

let found: LabReport;
beforeAll(async () => {
  found = await report('brk');
});

const heap = (id: string) => sizeIn(changeOf(found, id), '[heap]');
const resident = (id: string) => residentIn(changeOf(found, id), '[heap]');
const breakAfter = (id: string) => Number(stepOf(found, id).numbers.break);

describe('memprobe lab brk', () => {
  test('the break moves by 128 bytes, and the heap by the page that these need', () => {
    expect(breakAfter('first')).toBe(breakAfter('ask') + 128);
    expect(breakAfter('second')).toBe(breakAfter('ask') + 256);
    const ends = ['ask', 'first', 'second'].map((id) => Math.ceil(breakAfter(id) / found.pageSize));
    expect(heap('first')).toBe((ends[1] ?? 0) - (ends[0] ?? 0));
    expect(heap('second')).toBe((ends[2] ?? 0) - (ends[1] ?? 0));
    expect(heap('first') + heap('second')).toBe(1);
    expect(breakAfter('shrink')).toBe(breakAfter('ask'));
    expect(heap('shrink')).toBe(-1);
  });

  test('new heap is not resident before it is written', () => {
    expect([heap('six'), resident('six')]).toEqual([6, 0]);
    expect([heap('write'), resident('write')]).toEqual([0, 6]);
  });

  test('cutting pages 2 to 4 off with brk loses 5 and 6', () => {
    expect(stepOf(found, 'cut').numbers).toEqual({ resident: '100000', values: '700000' });
  });

  test('madvise gives back 2 to 4 and keeps 5 and 6, and the heap its length', () => {
    expect(stepOf(found, 'madvise').numbers).toEqual({ resident: '100011', values: '700077' });
    expect([heap('madvise'), resident('madvise')]).toEqual([0, -3]);
    expect(heap('end')).toBe(-6);
  });

  test('where something lies right above the heap, other processes are tried, and then it says why', async () => {
    const options = { entry: ENTRY, flags: blockedHeap() };
    const failure: unknown = await runLab(brkLab, options).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(LabError);
    expect(String(failure)).toMatch(/break can't grow: .*5 processes/);
  });
});
