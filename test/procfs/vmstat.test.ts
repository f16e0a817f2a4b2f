import { expect, it } from 'vitest';
import { parseVmstat, readVmstat } from '../../lib/procfs/vmstat.js';
import { bytesOf, fixture } from './support.js';

it('reads every counter', () => {
  const text = Buffer.from(fixture('linux-6.18/vmstat')).toString();
  const counters = parseVmstat(fixture('linux-6.18/vmstat'));
  const back = Object.entries(counters).map(([name, value]) => `${name} ${value}\n`);
  expect(back.join('')).toBe(text);
});

it('names a malformed line', () => {
  expect(() => parseVmstat(bytesOf('pgfault 1\npgmajfault -\n'))).toThrow(
    expect.objectContaining({ line: 2 }),
  );
});

it('counts the page faults of this machine', async () => {
  const before = await readVmstat();
  const touched = Buffer.alloc(16 << 20, 1);
  const after = await readVmstat();
  expect(after.pgfault).toBeGreaterThan(before.pgfault ?? 0);
  expect(touched[0]).toBe(1);
});
