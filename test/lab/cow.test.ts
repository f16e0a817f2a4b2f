import { beforeAll, describe, expect, test } from 'vitest';
import { residentIn } from '../../lib/lab/bench.js';
import type { LabReport } from '../../lib/lab/report.js';
import { changeOf, report, stepOf } from './reports.js';

let found: LabReport;
beforeAll(async () => {
  found = await report('cow');
});

describe('memprobe lab cow', () => {
  test('a read private mapping is resident, and all of it the file', () => {
    expect(residentIn(changeOf(found, 'read'), 'file')).toBe(4);
    expect(stepOf(found, 'read').numbers.mapped).toBe('A');
  });

  test('a store copies one page, and the file keeps what it had', () => {
    expect(stepOf(found, 'write').numbers).toEqual({ mapped: 'B', inFile: 'A', copies: 1 });
    expect(residentIn(changeOf(found, 'write'), 'file')).toBe(0);
  });

  test("after MADV_DONTNEED the copy is gone, and the file's content is back", () => {
    expect(stepOf(found, 'dontneed').numbers.dropped).toBe(1);
    expect(residentIn(changeOf(found, 'dontneed'), 'file')).toBe(-1);
    expect(stepOf(found, 'again').numbers.mapped).toBe('A');
    expect(residentIn(changeOf(found, 'again'), 'file')).toBe(1);
  });
});
