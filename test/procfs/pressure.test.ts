import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parsePressure, readPressure } from '../../lib/procfs/pressure.js';
import { bytesOf, FIXTURES, fixture } from './support.js';

it('reads both lines of a resource', () => {
  expect(parsePressure(bytesOf('some avg10=1.50 avg60=0.25 avg300=100.00 total=12345\n'))).toEqual({
    some: { avg10: 1.5, avg60: 0.25, avg300: 100, total: 12345 },
  });
  expect(Object.keys(parsePressure(fixture('linux-6.18/pressure/memory')))).toEqual(['some', 'full']);
});

it('names a malformed line', () => {
  expect(() => parsePressure(bytesOf('some avg10=1\n'))).toThrow(expect.objectContaining({ line: 1 }));
});

it('takes memory unless another resource is asked for', async () => {
  const root = `${FIXTURES}/linux-6.18`;
  expect(await readPressure({ root })).toEqual(parsePressure(fixture('linux-6.18/pressure/memory')));
  expect(await readPressure({ root, resource: 'cpu' })).toEqual(
    parsePressure(fixture('linux-6.18/pressure/cpu')),
  );
});

it.skipIf(!existsSync('/proc/pressure/io'))('reads this machine', async () => {
  expect((await readPressure({ resource: 'io' })).some?.total).toBeGreaterThanOrEqual(0);
});

it.skipIf(existsSync('/proc/pressure'))('says what a kernel without it needs', async () => {
  await expect(readPressure()).rejects.toMatchObject({
    code: 'ENOENT',
    message: expect.stringContaining('psi=1'),
  });
});
