import { expect, it, onTestFinished } from 'vitest';
import { readSmaps } from '../../lib/procfs/smaps.js';
import { parseStatm, readStatm } from '../../lib/procfs/statm.js';
import { parseStatus } from '../../lib/procfs/status.js';
import { bytesOf, fixture, spawnWithMappings, stop } from './support.js';

it('counts in bytes: VmSize of the same process is the same', () => {
  const status = parseStatus(fixture('linux-6.18/100/status'));
  const statm = parseStatm(fixture('linux-6.18/100/statm'), 4096);
  expect(statm.size).toBe(status.VmSize);
});

it('multiplies by the page size of the machine', () => {
  expect(parseStatm(bytesOf('1 2 3 4 0 5 0\n'), 65536)).toEqual({
    size: 65536,
    resident: 2 * 65536,
    shared: 3 * 65536,
    text: 4 * 65536,
    data: 5 * 65536,
  });
});

it('refuses anything but numbers', () => {
  for (const text of ['', '1 2 3\n', '1 2 x 4 0 5 0\n']) {
    expect(() => parseStatm(bytesOf(text), 4096)).toThrow(
      expect.objectContaining({ code: 'ERR_MEMPROBE_PARSE' }),
    );
  }
});

it('sees what this process touches', async () => {
  const touched = Buffer.alloc(128 << 20, 1);
  expect((await readStatm()).resident).toBeGreaterThan(touched.length);
});

it('agrees with smaps about a process that stands still', async () => {
  const child = await spawnWithMappings(2000);
  onTestFinished(() => stop(child));
  const { pid } = child;
  const [statm, smaps] = [await readStatm({ pid }), await readSmaps({ pid })];
  expect(Math.abs(statm.resident / smaps.total('Rss') - 1)).toBeLessThan(0.1);
});
