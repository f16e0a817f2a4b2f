import { beforeAll, describe, expect, test } from 'vitest';
import { residentIn } from '../../lib/lab/bench.js';
import type { LabReport } from '../../lib/lab/report.js';
import { changeOf, report, stepOf } from './reports.js';

let found: LabReport;
beforeAll(async () => {
  found = await report('faults');
});

/** Faults that Node itself may have meanwhile: fewer than there are pages in any step. */
const OTHERS = 6;
const minor = (id: string) => changeOf(found, id).faults.minor;

describe('memprobe lab faults', () => {
  test('each first touch is a minor fault and a page, and a second touch is neither', () => {
    expect(stepOf(found, 'touch').numbers.resident).toBe(8);
    const total = Number(stepOf(found, 'touch').numbers.minor);
    expect(total).toBeGreaterThanOrEqual(8);
    expect(total).toBeLessThanOrEqual(8 + OTHERS);
    expect(minor('again')).toBeLessThanOrEqual(OTHERS);
    expect(residentIn(changeOf(found, 'again'), 'memory')).toBe(0);
  });

  test('reading faults without taking memory; writing what was read faults again and takes it', () => {
    expect(stepOf(found, 'read').numbers.sum).toBe(0);
    expect(residentIn(changeOf(found, 'read'), 'memory')).toBe(0);
    expect(residentIn(changeOf(found, 'write'), 'memory')).toBe(16);
    for (const id of ['read', 'write']) {
      expect(minor(id)).toBeGreaterThanOrEqual(16);
      expect(minor(id)).toBeLessThanOrEqual(16 + OTHERS);
    }
  });

  test('2 MiB in small pages take 512 faults', () => {
    expect(minor('small')).toBeGreaterThanOrEqual(512);
    expect(minor('small')).toBeLessThanOrEqual(512 + OTHERS);
    expect(residentIn(changeOf(found, 'small'), 'memory')).toBe(512);
  });

  test('2 MiB in a huge page take one', (context) => {
    const { skipped } = found.sections.at(-1) ?? {};
    if (skipped !== undefined) context.skip(skipped);
    const { huge } = stepOf(found, 'huge').numbers;
    if (huge === 0) context.skip('memory is too fragmented for a huge page');
    expect(huge).toBe(512);
    expect(residentIn(changeOf(found, 'huge'), 'memory')).toBe(512);
    expect(minor('huge')).toBeLessThanOrEqual(1 + OTHERS);
  });
});
