import { totalmem } from 'node:os';
import { expect, it } from 'vitest';
import { parseMeminfo, readMeminfo } from '../../lib/procfs/meminfo.js';
import { bytesOf, fixture } from './support.js';

it('gives sizes in bytes and huge pages as a count', () => {
  const meminfo = parseMeminfo(fixture('linux-6.18/meminfo'));
  expect(meminfo.HugePages_Total).toBe(2);
  expect(meminfo.Hugepagesize).toBe(2 << 20);
  expect(meminfo['Active(anon)']).toBeGreaterThan(0);
  expect(meminfo.MemFree).toBeLessThan(meminfo.MemTotal ?? 0);
});

it('keeps unknown fields and leaves out missing ones', () => {
  expect(parseMeminfo(bytesOf('Brandnew:  7 kB\nOdd(x): 1\n'))).toEqual({ Brandnew: 7168, 'Odd(x)': 1 });
});

it('names a malformed line', () => {
  const parse = () => parseMeminfo(bytesOf('MemTotal: 1 kB\nMemFree: lots\n'), '/proc/meminfo');
  expect(parse).toThrow(/\/proc\/meminfo, line 2: expected 'Name: number \[kB\]', found "MemFree: lots"/);
});

it('sees this machine as Node does', async () => {
  expect((await readMeminfo()).MemTotal).toBe(totalmem());
});
