import { beforeAll, describe, expect, test } from 'vitest';
import type { LabReport } from '../../lib/lab/report.js';
import { findMallocDebug } from '../../lib/malloc_debug.js';
import { changeOf, report, stepOf } from './reports.js';

describe.skipIf(findMallocDebug() === undefined)('memprobe lab trace', () => {
  let found: LabReport;
  beforeAll(async () => {
    found = await report('trace');
  });

  test('the map is as long after the frees as before them', () => {
    expect(changeOf(found, 'free').statm.size).toBe(0);
  });

  test('the log has one line about the forgotten block: its allocation', () => {
    expect(stepOf(found, 'log').numbers.lines).toBe(1);
    expect(stepOf(found, 'log').notes[0]).toMatch(/memprobe\.node.* \+ 0x[0-9a-f]+ 0x2803$/);
  });

  test('of ten blocks the one that was not freed is found, and no other', () => {
    const { blocks, bytes, found: address, leaked } = stepOf(found, 'leaks').numbers;
    expect([blocks, bytes, address]).toEqual([1, 10 * 1024 + 3, leaked]);
  });
});
