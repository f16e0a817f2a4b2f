import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { numa } from '../../lib/index.js';
import { getpagesize } from '../../lib/libc/index.js';
import { type NumaTopology, topology } from '../../lib/numa/index.js';
import { rejected } from '../helpers/errors.js';
import { captured, MACHINES, numbers, root } from './captured.js';

const MIB = 1 << 20;

/** What `numactl --hardware` says, in numactl's units. */
function hardware(text: string) {
  const lines = text.split('\n');
  const of = (id: number, what: string) =>
    lines.find((line) => line.startsWith(`node ${id} ${what}:`))?.split(':')[1];
  const table = lines.slice(lines.findIndex((line) => line.startsWith('node distances')) + 1);
  const ids = numbers(table[0]?.replace('node', ''));
  return ids.map((id, row) => ({
    id,
    cpus: numbers(of(id, 'cpus')),
    size: Number.parseInt(of(id, 'size') ?? '', 10),
    free: Number.parseInt(of(id, 'free') ?? '', 10),
    distances: numbers(table[row + 1]?.split(':')[1]),
  }));
}

const asNumactl = ({ nodes }: NumaTopology) =>
  nodes.map(({ id, cpus, memory, distances }) => ({
    id,
    cpus,
    size: Math.floor(memory.total / MIB),
    free: Math.floor(memory.free / MIB),
    distances: [...distances.values()],
  }));

describe('a captured machine', () => {
  test.each(MACHINES)('%s is what numactl --hardware said there', async (machine) => {
    const ours = asNumactl(await topology({ root: root(machine) }));
    const theirs = hardware(captured(machine, 'numactl-hardware.txt'));
    expect(theirs.length).toBeGreaterThan(0);
    // Free memory changes while the files are read one by one.
    const still = ({ free: _, ...rest }: (typeof ours)[number]) => rest;
    expect(ours.map(still)).toEqual(theirs.map(still));
    ours.forEach(({ free }, i) => expect(Math.abs(free - (theirs[i]?.free ?? NaN))).toBeLessThan(1024));
  });

  test('has memory-only nodes, uneven distances both ways, and huge pages by node', async () => {
    const { nodes, holes, possible } = await topology({ root: root('linux-6.1-four') });
    expect(nodes.map(({ id, cpus }) => [id, cpus])).toEqual([
      [0, [0, 1]],
      [1, [2, 3]],
      [2, []],
      [3, []],
    ]);
    expect(nodes[2]?.distances).toEqual(
      new Map([
        [0, 17],
        [1, 28],
        [2, 10],
        [3, 31],
      ]),
    );
    expect(
      nodes.map(({ hugePages }) => hugePages.map(({ size, total, free }) => [size, total, free])),
    ).toEqual(
      [8, 4, 2, 6].map((pages) => [
        [2 * MIB, pages, pages],
        [1024 * MIB, 0, 0],
      ]),
    );
    expect([holes, possible]).toEqual([[], [0, 1, 2, 3]]);
  });

  test('has a CPU-only node, and a hole in its numbers over which distances do not slip', async () => {
    const { nodes, holes, possible } = await topology({ root: root('linux-6.1-holes') });
    expect(nodes.map(({ id, cpus, memory }) => [id, cpus.length, memory.total > 0])).toEqual([
      [0, 2, true],
      [1, 2, false],
      [3, 0, true],
    ]);
    expect([holes, possible]).toEqual([[2], [0, 1, 2, 3]]);
    expect([...(nodes[2]?.distances.keys() ?? [])]).toEqual([0, 1, 3]);
    expect(nodes[2]?.distances.get(3)).toBe(10);
  });
});

describe('what no kernel writes', () => {
  function changed(file: string, text: string): string {
    const directory = mkdtempSync(join(tmpdir(), 'memprobe-test-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    cpSync(root('linux-6.1-two'), directory, { recursive: true });
    writeFileSync(join(directory, 'devices/system/node', file), text);
    return directory;
  }

  test.each([
    ['node1/cpulist', '2-x'],
    ['node1/cpulist', '3-2'],
    ['node1/distance', '20 10 20'],
    ['node1/distance', '20 ten'],
    ['node1/meminfo', 'Node 1 MemFree: 5 kB\n'],
  ])('in %s is an error that names the file: %s', async (file, text) => {
    const error = await rejected(topology({ root: changed(file, text) }));
    expect(error).toMatchObject({ code: 'ERR_MEMPROBE_PARSE' });
    expect(error.message).toContain(file);
  });

  test('a node without huge pages has none', async () => {
    const directory = changed('node1/cpulist', '');
    rmSync(join(directory, 'devices/system/node/node1/hugepages'), { recursive: true });
    const { nodes } = await topology({ root: directory });
    expect([nodes[1]?.hugePages, nodes[1]?.cpus]).toEqual([[], []]);
  });
});

test('a kernel without NUMA is ERR_MEMPROBE_UNSUPPORTED, which says so', async () => {
  const error = await rejected(topology({ root: '/nowhere' }));
  expect(error).toMatchObject({ code: 'ERR_MEMPROBE_UNSUPPORTED' });
  expect(error.message).toMatch(/nowhere.*CONFIG_NUMA/);
});

describe('this machine', () => {
  test('has its CPUs and memory on its nodes', async () => {
    const { nodes } = await numa.topology();
    expect(nodes.flatMap((node) => node.cpus)).toHaveLength(
      Number(execFileSync('nproc', ['--all'], { encoding: 'utf8' })) || cpus().length,
    );
    const managed = readFileSync('/proc/zoneinfo', 'latin1').matchAll(/^ +managed +(\d+)$/gm);
    const pages = [...managed].reduce((sum, [, number]) => sum + Number(number), 0);
    expect(nodes.reduce((sum, { memory }) => sum + memory.total, 0)).toBe(pages * getpagesize());
    for (const { id, distances } of nodes) expect(distances.get(id)).toBe(10);
  });

  const numactl = spawnSync('numactl', ['--hardware'], { encoding: 'utf8' });
  if (numactl.status !== 0) console.error('numa: numactl is not here, so topology() is not compared with it');
  test.skipIf(numactl.status !== 0)('is what numactl --hardware says', async () => {
    const still = ({ free: _, ...rest }: ReturnType<typeof hardware>[number]) => rest;
    expect(asNumactl(await topology()).map(still)).toEqual(hardware(numactl.stdout).map(still));
  });
});
