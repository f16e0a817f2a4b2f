import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { anonymousIn, residentIn, sizeIn } from '../../lib/lab/bench.js';
import type { LabReport } from '../../lib/lab/report.js';
import { changeOf, report, signsOf, stepOf } from './reports.js';

let found: LabReport;
beforeAll(async () => {
  found = await report('mmap');
});

describe('memprobe lab mmap', () => {
  test('five ints are a new anonymous mapping of one page, resident once written', () => {
    expect(signsOf(found, 'map', '5 ints')).toBe('+');
    const made = changeOf(found, 'map').maps.find(({ label }) => label === '5 ints');
    expect(made).toMatchObject({ perms: 'rw-p', path: '', pages: 1, resident: 0 });
    expect(residentIn(changeOf(found, 'write'), '5 ints')).toBe(1);
  });

  test('unmapping 40 bytes removes the page', () => {
    expect(signsOf(found, 'unmap', '5 ints')).toBe('-');
    expect(sizeIn(changeOf(found, 'unmap'), '5 ints')).toBe(-1);
  });

  test('anonymous shared memory is a file in the map', () => {
    const made = changeOf(found, 'anonymous').maps.find(({ sign }) => sign === '+');
    expect(made).toMatchObject({ perms: 'rw-s', pages: 1 });
    expect(made?.path).toContain('/dev/zero');
  });

  test('a child finds what was written in shared memory, and what it writes is found here', () => {
    const { pid, found: seen, here } = stepOf(found, 'child').numbers;
    expect([seen, here]).toEqual([41, 42]);
    expect(pid).not.toBe(found.pid);
    expect(residentIn(changeOf(found, 'child'), 'shared memory')).toBe(0);
  });

  test('MAP_SHARED writes reach the file, MAP_PRIVATE ones do not', () => {
    expect(stepOf(found, 'shared').numbers).toEqual({ shared: 'S..', private: 'S..', file: 'S..' });
    expect(stepOf(found, 'private').numbers).toEqual({ shared: 'S..', private: 'SP.', file: 'S..' });
    expect(stepOf(found, 'later').numbers).toEqual({ shared: 'S.T', private: 'SP.', file: 'S.T' });
    expect(anonymousIn(changeOf(found, 'private'), 'private')).toBe(1);
  });

  test('a mapping needs a file open for reading, and for writing where it is shared and writable', () => {
    const outcomes = stepOf(found, 'permissions').numbers;
    expect(Object.keys(outcomes)).toHaveLength(18);
    for (const [combination, outcome] of Object.entries(outcomes)) {
      const readable = !combination.includes('O_WRONLY');
      const needsWrite = combination.includes('PROT_WRITE') && combination.includes('MAP_SHARED');
      const allowed = readable && (!needsWrite || combination.includes('O_RDWR'));
      expect([combination, outcome]).toEqual([combination, allowed ? 'ok' : 'EACCES']);
    }
  });

  test.each([
    ['EBADF', 'EBADF'],
    ['ENODEV', 'ENODEV'],
    ['EACCES', 'EACCES'],
    ['EINVAL-offset', 'EINVAL'],
    ['EINVAL-length', 'EINVAL'],
    ['EINVAL-flags', 'EINVAL'],
    ['EINVAL-fixed', 'EINVAL'],
    ['EEXIST', 'EEXIST'],
    ['ENOMEM-size', 'ENOMEM'],
    ['EAGAIN', 'EAGAIN'],
  ])('%s is provoked', (id, code) => {
    const { error } = stepOf(found, id);
    expect(error?.code).toBe(code);
    expect(error?.message).toContain('mmap');
  });

  const prlimit = spawnSync('prlimit', ['--version']).error === undefined;
  test.skipIf(!prlimit)('2 GiB are ENOMEM 1 GiB below RLIMIT_AS (needs the command prlimit)', () => {
    expect(stepOf(found, 'ENOMEM').error?.code).toBe('ENOMEM');
    expect(stepOf(found, 'EAGAIN').error?.code).toBe('EAGAIN');
  });
});
