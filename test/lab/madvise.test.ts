import { beforeAll, describe, expect, test } from 'vitest';
import { residentIn, sizeIn } from '../../lib/lab/bench.js';
import type { LabReport } from '../../lib/lab/report.js';
import { changeOf, FEW, report, signsOf, stepOf } from './reports.js';

let found: LabReport;
beforeAll(async () => {
  found = await report('madvise');
});

/** Where huge pages are "always" on, malloc's header may bring 512 pages at once: the sum is what is certain. */
const came = () =>
  residentIn(changeOf(found, 'malloc'), 'block') + residentIn(changeOf(found, 'write'), 'block');

describe('memprobe lab madvise', () => {
  test('4 MiB from malloc are a mapping of 4 MiB and a page', () => {
    expect(signsOf(found, 'malloc', 'block')).toBe('+');
    expect(sizeIn(changeOf(found, 'malloc'), 'block')).toBe((4 << 20) / found.pageSize + 1);
  });

  test('writing makes 1,024 pages resident, besides the one with the header', () => {
    expect(came()).toBe(1025);
    const { statm, rss } = changeOf(found, 'write');
    const written = residentIn(changeOf(found, 'write'), 'block');
    expect(Math.abs(rss - written)).toBeLessThanOrEqual(FEW);
    expect(Math.abs(statm.resident - rss)).toBeLessThanOrEqual(64); // how far statm may lag before Linux 6.17
    expect(signsOf(found, 'write', 'block')).toBe('~');
  });

  test('MADV_DONTNEED of 1 MiB makes 256 pages go, and leaves the mapping as it was', () => {
    const { maps, rss } = changeOf(found, 'dontneed');
    expect(residentIn(changeOf(found, 'dontneed'), 'block')).toBe(-256);
    expect(Math.abs(rss + 256)).toBeLessThanOrEqual(FEW);
    expect(signsOf(found, 'dontneed', 'block')).toBe('~');
    expect(sizeIn({ ...changeOf(found, 'dontneed'), maps }, 'block')).toBe(0);
  });

  test('from the next page boundary: what was given back reads zero, what follows is as it was', () => {
    expect(stepOf(found, 'round').numbers.skipped).toBe(found.pageSize - 16);
    expect(stepOf(found, 'read').numbers).toEqual({ gone: 0, last: 1 });
  });
});
