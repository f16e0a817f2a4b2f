import { beforeAll, describe, expect, test } from 'vitest';
import { residentIn } from '../../lib/lab/bench.js';
import type { LabReport } from '../../lib/lab/report.js';
import { changeOf, report, stepOf } from './reports.js';

let found: LabReport;
beforeAll(async () => {
  found = await report('mincore');
});

const marks = (id: string) => [...String(stepOf(found, id).numbers.picture)];
const places = (id: string) => marks(id).flatMap((mark, i) => (mark === '#' ? [i] : []));

describe('memprobe lab mincore', () => {
  test('nothing of a file that nobody touched is in memory', () => {
    expect(marks('map')).toHaveLength(64);
    expect(places('map')).toEqual([]);
    expect(places('fresh')).toEqual([]);
  });

  test('with MADV_RANDOM exactly the touched pages come', () => {
    expect(places('touch')).toEqual([10]);
    expect(places('write')).toEqual([10, 20]);
    expect(residentIn(changeOf(found, 'touch'), 'file')).toBe(1);
  });

  test('without advice more may come than was touched, and mincore sees more than is mapped here', () => {
    const inMemory = Number(stepOf(found, 'ahead').numbers.inMemory);
    expect(places('ahead')).toContain(0);
    expect(inMemory).toBeGreaterThanOrEqual(residentIn(changeOf(found, 'ahead'), 'file'));
  });
});
