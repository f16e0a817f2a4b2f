import { existsSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseMaps } from '../../lib/procfs/maps.js';
import { parseNumaMaps, readNumaMaps } from '../../lib/procfs/numa_maps.js';
import { readSmaps } from '../../lib/procfs/smaps.js';
import { bytesOf, fixture, spawnWithMappings, stop } from './support.js';

describe('parseNumaMaps', () => {
  it('sees the mappings and the paths that maps shows', () => {
    const numa = parseNumaMaps(fixture('linux-6.18/100/numa_maps'));
    const files = parseMaps(fixture('linux-6.18/100/maps')).filter(({ path }) => path.startsWith('/'));
    const named = numa.filter(({ path }) => path !== undefined).map(({ start, path }) => [start, path]);
    expect(named).toEqual(files.map(({ start, path }) => [start, path]));
  });

  it('takes a policy whole, also with spaces, modes and nodes in it', () => {
    const policies = parseNumaMaps(fixture('unknown-fields/1/numa_maps')).map(({ policy }) => policy);
    expect(policies).toEqual([
      'weighted interleave:0-1',
      'bind=static:0,2',
      'local',
      'prefer (many)=relative:1-3',
    ]);
    const real = parseNumaMaps(fixture('linux-6.18/100/numa_maps')).map(({ policy }) => policy);
    expect(real).toEqual(expect.arrayContaining(['default', 'interleave:0', 'prefer (many):0']));
  });

  it('gives the pages of each node in bytes of their own size', () => {
    const [base, huge, big] = parseNumaMaps(fixture('unknown-fields/1/numa_maps'));
    expect(base?.nodes).toEqual(
      new Map([
        [0, 300 * 4096],
        [1, 212 * 4096],
      ]),
    );
    expect(huge).toMatchObject({ huge: true, pageSize: 2 << 20, dirty: 4 << 20, path: '/dev/hugepages/a b' });
    expect(huge?.nodes).toEqual(
      new Map([
        [0, 2 << 20],
        [2, 2 << 20],
      ]),
    );
    expect(big).toMatchObject({ stack: true, anon: 65536, swapcache: 65536, newcount: 7 });
  });

  it('leaves out what a mapping without pages does not have', () => {
    const empty = parseNumaMaps(bytesOf('7f00 default\n'))[0];
    expect(empty).toEqual({
      start: 0x7f00n,
      policy: 'default',
      heap: false,
      stack: false,
      huge: false,
      nodes: new Map(),
    });
  });

  it('names a malformed line', () => {
    expect(() => parseNumaMaps(bytesOf('7f00 default\nzz default\n'))).toThrow(
      expect.objectContaining({ line: 2 }),
    );
  });
});

it.skipIf(!existsSync('/proc/self/numa_maps'))(
  'readNumaMaps accounts for the memory of a process',
  async () => {
    const child = await spawnWithMappings(2000);
    onTestFinished(() => stop(child));
    const { pid } = child;
    const [numa, smaps] = [await readNumaMaps({ pid }), await readSmaps({ pid })];
    const bytes = numa.flatMap(({ nodes }) => [...nodes.values()]).reduce((sum, part) => sum + part, 0);
    expect(Math.abs(bytes / smaps.total('Rss') - 1)).toBeLessThan(0.1);
  },
);
