import { beforeAll, describe, expect, test } from 'vitest';
import { sizeIn } from '../../lib/lab/bench.js';
import type { LabReport } from '../../lib/lab/report.js';
import { DEBUG_LIBRARY, unless } from '../mtrace/support.js';
import { changeOf, report, stepOf } from './reports.js';

describe.skipIf(unless({ libc_malloc_debug: DEBUG_LIBRARY }))('memprobe lab check', () => {
  let found: LabReport;
  beforeAll(async () => {
    found = await report('check');
  });
  const status = (id: string) => stepOf(found, id).numbers.status;

  test('a block is fine until a byte behind it, or before it, is written', () => {
    expect(status('whole')).toBe('MCHECK_OK');
    expect(status('overrun')).toBe('MCHECK_TAIL');
    expect(status('underrun')).toBe('MCHECK_HEAD');
    expect(status('repaired')).toBe('MCHECK_OK');
  });

  test('the marks of mcheck show the byte that was written, and the map does not', () => {
    expect(stepOf(found, 'whole').numbers.tail).toBe('d7');
    expect(stepOf(found, 'overrun').numbers.tail).toBe('ff');
    expect(stepOf(found, 'underrun').numbers.head).toMatch(/ ff$/);
    for (const id of ['overrun', 'underrun']) expect(sizeIn(changeOf(found, id), '[heap]')).toBe(0);
  });

  test('memprobe/libc refuses to write there', () => {
    expect(stepOf(found, 'guarded').error?.code).toBe('ERR_MEMPROBE_NOT_OWNED');
  });

  test('mcheck_check_all finds just this block', () => {
    const { bad, found: first, block } = stepOf(found, 'all').numbers;
    expect([bad, first]).toEqual([1, block]);
  });

  test('free() ends the program and says why', () => {
    const { signal, said } = stepOf(found, 'abort').numbers;
    expect(signal).toBe('SIGABRT');
    expect(said).toMatch(/MCHECK_TAIL: .* of 24 bytes, found in free/);
  });
});
