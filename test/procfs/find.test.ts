import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { native } from '../../lib/native.js';
import { codeOf } from '../../lib/procfs/errors.js';
import { findMapping } from '../../lib/procfs/find.js';
import { readMaps } from '../../lib/procfs/maps.js';
import { FIXTURES, spawnWithMappings, stop } from './support.js';

describe('findMapping', () => {
  it('says of every mapping of a process what the text of maps says', async () => {
    const child = await spawnWithMappings(10);
    try {
      const { pid } = child;
      const mappings = await readMaps({ pid });
      for (const mapping of mappings) {
        expect(await findMapping(mapping.start, { pid })).toEqual(mapping);
        expect(await findMapping(mapping.end - 1n, { pid })).toEqual(mapping);
      }
      expect(mappings.some(({ path }) => path === '[stack]')).toBe(true);
    } finally {
      await stop(child);
    }
  });

  it('says nothing for an address that is not mapped', async () => {
    expect(await findMapping(0n)).toBeUndefined();
    expect(await findMapping(2n ** 63n)).toBeUndefined();
    expect(await findMapping(2n ** 64n - 1n)).toBeUndefined();
  });

  it('finds [vsyscall], which the kernel shows in the text alone', async () => {
    const listed = (await readMaps()).find(({ path }) => path === '[vsyscall]');
    expect(await findMapping(0xffffffffff600000n)).toEqual(listed);
  });

  it('scans captured text', async () => {
    const options = { root: `${FIXTURES}/linux-6.18`, pid: 100 };
    expect(await findMapping(0x55bc0496e000n, options)).toMatchObject({ path: '[heap]' });
    expect(await findMapping(0x55bc0496dfffn, options)).toBeUndefined();
  });

  it.each([
    [12, 'ERR_INVALID_ARG_TYPE'],
    ['0x1000', 'ERR_INVALID_ARG_TYPE'],
    [-1n, 'ERR_OUT_OF_RANGE'],
    [2n ** 64n, 'ERR_OUT_OF_RANGE'],
  ])('refuses %s with %s', async (address, code) => {
    // @ts-expect-error the point is a wrong type
    expect(await findMapping(address).catch(codeOf)).toBe(code);
  });

  it('asks the kernel with an ioctl that other files do not have', async () => {
    const directory = mkdtempSync(`${tmpdir()}/memprobe-find-`);
    try {
      writeFileSync(`${directory}/maps`, '');
      expect(await native.promises.procmap_query(`${directory}/maps`, 0n).catch(codeOf)).toBe('ENOTTY');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
