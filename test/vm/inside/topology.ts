/** numa.topology() and numa.processMemory() against numactl --hardware and numastat. */
import assert from 'node:assert/strict';
import { numa } from '../../../lib/index.js';
import type { Check } from './check.js';
import { hardware } from './witness.js';

const MIB = 1 << 20;

export const topologyChecks: readonly Check[] = [
  {
    name: 'topology() is what numactl --hardware says: nodes, CPUs, memory, distances',
    async run() {
      const { nodes } = await numa.topology();
      const told = hardware();
      assert.deepEqual(nodes.map(({ id }) => id), told.nodes); // prettier-ignore
      assert.deepEqual(new Map(nodes.map(({ id, cpus }) => [id, cpus])), told.cpus);
      assert.deepEqual(
        new Map(nodes.map(({ id, memory }) => [id, Math.floor(memory.total / MIB)])),
        told.size,
      );
      assert.deepEqual(nodes.map(({ distances }) => [...distances.values()]), told.distances); // prettier-ignore
      for (const { memory } of nodes) assert(memory.free <= memory.total);
    },
  },
  {
    name: 'topology() knows nodes without CPUs',
    on: ['four'],
    async run() {
      const { nodes, holes } = await numa.topology();
      assert.deepEqual(nodes.filter(({ cpus }) => cpus.length === 0).map(({ id }) => id), [2, 3]); // prettier-ignore
      assert.deepEqual(holes, []);
    },
  },
  {
    name: 'topology() knows a node without memory, a hole and a node without CPUs',
    on: ['holes'],
    async run() {
      const { nodes, holes, possible } = await numa.topology();
      assert.deepEqual(nodes.map(({ id, cpus, memory }) => [id, cpus.length > 0, memory.total > 0]), [[0, true, true], [1, true, false], [3, false, true]]); // prettier-ignore
      assert.deepEqual(holes, [2]);
      assert.deepEqual(possible, [0, 1, 2, 3]);
    },
  },
  {
    name: 'topology() has the huge pages of each node',
    on: ['four'],
    async run() {
      const { nodes } = await numa.topology();
      const reserved = nodes.map(({ hugePages }) => hugePages.find(({ size }) => size === 2 * MIB));
      assert.deepEqual(reserved.map((pages) => pages?.total), [8, 4, 2, 6]); // prettier-ignore
      assert.deepEqual(reserved.map((pages) => pages?.free), [8, 4, 2, 6]); // prettier-ignore
    },
  },
];
