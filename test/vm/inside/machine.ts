/** The machine is the one that was asked for: what the other checks stand on. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { addonPath } from '../../../lib/native.js';
import { readNumaMaps } from '../../../lib/procfs/numa_maps.js';
import { TOPOLOGIES, type Topology } from '../../../scripts/vm/topologies.js';
import type { Check } from './check.js';
import { numastat, withSleeper } from './process.js';
import { hardware, memoryNodes, sysfs } from './witness.js';

const MIB = 1 << 20;
const HUGE = 2 << 20;

function asked(): Topology {
  const topology = TOPOLOGIES.find(({ name }) => name === process.env.MEMPROBE_TOPOLOGY);
  assert(topology);
  return topology;
}

export const machineChecks: readonly Check[] = [
  {
    name: 'the addon of this build is loaded',
    run: () => assert.equal(addonPath, '/memprobe/build/Release/memprobe.node'),
  },
  {
    name: 'nodes 0 and 1 have CPUs and memory',
    on: ['two'],
    run() {
      assert.deepEqual(hardware().cpus, new Map([[0, [0, 1]], [1, [2, 3]]])); // prettier-ignore
      assert.equal(sysfs('has_memory'), '0-1');
    },
  },
  {
    name: 'nodes 2 and 3 have memory and no CPU',
    on: ['four'],
    run() {
      assert.equal(sysfs('has_memory'), '0-3');
      assert.equal(sysfs('has_cpu'), '0-1');
    },
  },
  {
    name: 'node 1 has no memory, node 2 is absent, node 3 has no CPU',
    on: ['holes'],
    run() {
      assert.equal(sysfs('online'), '0-1,3');
      assert.equal(sysfs('has_memory'), '0,3');
      assert.equal(sysfs('has_cpu'), '0-1');
    },
  },
  {
    name: 'the distances are those that qemu was given',
    on: ['four', 'holes'],
    run() {
      const { nodes, distances } = hardware();
      assert.deepEqual(
        distances,
        nodes.map((row) => nodes.map((column) => asked().distances?.[row]?.[column])),
      );
    },
  },
  {
    name: 'huge pages are reserved on each node',
    on: ['four'],
    run() {
      const reserved = hardware().nodes.map((node) =>
        Number(sysfs(`node${node}/hugepages/hugepages-2048kB/nr_hugepages`)),
      );
      assert.deepEqual(reserved, [8, 4, 2, 6]);
      assert.match(
        readFileSync('/proc/meminfo', 'latin1'),
        new RegExp(`^Hugetlb: +${(20 * HUGE) / 1024} kB`, 'm'),
      );
    },
  },
  {
    name: 'there is swap, on zram',
    run: () => assert.match(readFileSync('/proc/swaps', 'latin1'), /^\/dev\/zram0 /m),
  },
  {
    name: 'readNumaMaps and numastat agree about the memory of a process on each node',
    async run() {
      const nodes = memoryNodes();
      await withSleeper(nodes[0] ?? 0, async (pid) => {
        const bytes = new Map(nodes.map((node) => [node, 0]));
        for (const mapping of await readNumaMaps({ pid })) {
          for (const [node, part] of mapping.nodes) bytes.set(node, (bytes.get(node) ?? 0) + part);
        }
        for (const [node, part] of bytes) {
          assert(Math.abs(part / MIB - numastat(pid, 'Total', node)) < 0.02, `node ${node}: ${part}`);
        }
      });
    },
  },
];
