import { beforeAll, describe, expect, test } from 'vitest';
import { residentIn, sizeIn } from '../../lib/lab/bench.js';
import type { LabReport } from '../../lib/lab/report.js';
import { changeOf, report, signsOf, stepOf } from './reports.js';

let found: LabReport;
beforeAll(async () => {
  found = await report('mremap');
});

const numbers = (id: string) => stepOf(found, id).numbers;

describe('memprobe lab mremap', () => {
  test('a mapping grows in place, and its views are detached', () => {
    expect(numbers('grow').after).toBe(numbers('grow').before);
    expect(numbers('grow').viewLength).toBe(0);
    expect(sizeIn(changeOf(found, 'grow'), 'memory')).toBe(3);
    expect(residentIn(changeOf(found, 'grow'), 'memory')).toBe(0);
  });

  test('with a neighbour behind it can only grow elsewhere', () => {
    expect(stepOf(found, 'blocked').error?.code).toBe('ENOMEM');
    expect(numbers('move').after).not.toBe(numbers('move').before);
  });

  test('moving keeps content and residency, and faults nothing in', () => {
    expect(numbers('move').sum).toBe(4 * 7);
    expect(signsOf(found, 'move', 'memory')).toBe('-');
    expect(residentIn(changeOf(found, 'move'), 'memory')).toBe(-4);
    expect(residentIn(changeOf(found, 'move'), 'memory, moved')).toBe(4);
    expect(numbers('move').minorFaults).toBeLessThan(4);
  });

  test('MREMAP_DONTUNMAP takes the pages and leaves the mapping', (context) => {
    const { skipped } = found.sections.at(-1) ?? {};
    if (skipped !== undefined) context.skip(skipped);
    expect(numbers('dontunmap')).toMatchObject({ old: 0, now: 7 });
    expect(residentIn(changeOf(found, 'dontunmap'), 'the new place')).toBe(4);
    expect(residentIn(changeOf(found, 'dontunmap'), 'the old place')).toBe(-4);
    expect(signsOf(found, 'dontunmap', 'the old place')).toBe('~');
  });
});
