/** kill -9 while a heap is worked on; `npm run torture` does it a thousand times. */
import { dirname } from 'node:path';
import { expect, it } from 'vitest';
import { scratch } from './support.js';
import { torture } from './torture.js';

it('100 kills break no heap and lose nothing that was acknowledged', { timeout: 600_000 }, async () => {
  const result = await torture(dirname(scratch()), 100, 1);
  expect(result.complaints).toEqual([]);
  expect(result).toMatchObject({ kills: 100, broken: 0, lost: 0 });
  expect(result.operations).toBeGreaterThan(1000);
  expect(result.inside).toBeGreaterThan(30);
});
