import { beforeAll, describe, expect, test } from 'vitest';
import { residentIn, sizeIn } from '../../lib/lab/bench.js';
import type { LabReport } from '../../lib/lab/report.js';
import { DEBUG_LIBRARY, unless } from '../mtrace/support.js';
import { changeOf, report, stepOf } from './reports.js';

describe.skipIf(unless({ libc_malloc_debug: DEBUG_LIBRARY }))('memprobe lab trace', () => {
  let found: LabReport;
  beforeAll(async () => {
    found = await report('trace');
  });

  test('the heap takes a hundred blocks once, and shows neither their end nor the leak', () => {
    const taken = residentIn(changeOf(found, 'take'), '[heap]');
    expect(taken).toBeGreaterThan(150);
    for (const id of ['free', 'again', 'leak']) {
      expect([id, sizeIn(changeOf(found, id), '[heap]')]).toEqual([id, 0]);
      expect(Math.abs(residentIn(changeOf(found, id), '[heap]'))).toBeLessThan(taken / 3);
    }
  });

  test('the last line about the forgotten block is its allocation', () => {
    expect(stepOf(found, 'log').numbers.last).toMatch(/memprobe\.node.* \+ 0x[0-9a-f]+ 0x2803$/);
  });

  test('of a hundred blocks the one that was not freed is found, and no other', () => {
    const { blocks, bytes, found: address, leaked } = stepOf(found, 'leaks').numbers;
    expect([blocks, bytes, address]).toEqual([1, 10 * 1024 + 3, leaked]);
  });
});
