import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { residentIn } from '../../lib/lab/bench.js';
import { LabError } from '../../lib/lab/errors.js';
import { mlockLab } from '../../lib/lab/mlock.js';
import type { LabReport } from '../../lib/lab/report.js';
import { runLab } from '../../lib/lab/run.js';
import { changeOf, ENTRY, report, stepOf } from './reports.js';

let found: LabReport;
beforeAll(async () => {
  found = await report('mlock');
});

const change = (id: string) => {
  const { locked } = changeOf(found, id);
  return { locked, resident: residentIn(changeOf(found, id), 'memory') };
};

describe('memprobe lab mlock', () => {
  test('mlock fetches all pages and counts them in VmLck; munlock leaves them there', () => {
    expect(change('mlock')).toEqual({ locked: 4, resident: 4 });
    expect(change('munlock')).toEqual({ locked: -4, resident: 0 });
  });

  test('MLOCK_ONFAULT locks at once and fetches on touch', () => {
    expect(change('onfault')).toEqual({ locked: 4, resident: 0 });
    expect(change('touch')).toEqual({ locked: 0, resident: 1 });
  });

  test('one page more than RLIMIT_MEMLOCK is refused', () => {
    const { error, numbers } = stepOf(found, 'limit');
    expect(error?.code).toBe('ENOMEM');
    expect(numbers.asked).toBe(Number(numbers.limit) + found.pageSize);
  });

  test('a limit that the machine does not grant is an error that says so', async (context) => {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    if (/locked memory +\S+ +unlimited/.test(limits)) context.skip('there is no limit here');
    const failure: unknown = await runLab({ ...mlockLab, memlock: 2 ** 40 }, { entry: ENTRY }).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(LabError);
    expect(String(failure)).toContain('RLIMIT_MEMLOCK');
  });
});
