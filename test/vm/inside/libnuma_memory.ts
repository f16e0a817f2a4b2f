/** libnuma's allocations, and its policies for memory that is there. */
import assert from 'node:assert/strict';
import { MPOL_MF_MOVE, move_pages } from '../../../lib/libc/index.js';
import {
  numa_alloc,
  numa_alloc_interleaved,
  numa_alloc_interleaved_subset,
  numa_alloc_local,
  numa_alloc_onnode,
  numa_free,
  numa_interleave_memory,
  numa_migrate_pages,
  numa_move_pages,
  numa_police_memory,
  numa_run_on_node,
  numa_set_bind_policy,
  numa_set_membind,
  numa_set_localalloc,
  numa_set_strict,
  numa_setlocal_memory,
  numa_tonode_memory,
  numa_tonodemask_memory,
} from '../../../lib/libnuma/index.js';
import type { Check } from './check.js';
import { Pages, type Source } from './memory.js';
import { memoryNodes, numaMap } from './witness.js';

const COUNT = 48;

const from = (allocate: Source['allocate']): Source => ({ allocate, free: numa_free });

const evenly = (nodes: readonly number[]): Record<number, number> =>
  Object.fromEntries(nodes.map((node) => [node, COUNT / nodes.length]));

export const libnumaMemoryChecks: readonly Check[] = [
  {
    name: 'numa_alloc_onnode: every page lies on that node, on each that has memory',
    run() {
      for (const node of memoryNodes()) {
        using memory = new Pages(
          COUNT,
          from((size) => numa_alloc_onnode(size, node)),
        );
        assert.deepEqual(memory.touch().placement(), { [node]: COUNT });
        assert.equal(numaMap(memory.address).policy, `bind:${node}`);
      }
    },
  },
  {
    name: 'numa_alloc_onnode with numa_set_bind_policy(0) prefers the node',
    run() {
      const [, node = 0] = memoryNodes();
      numa_set_bind_policy(0);
      try {
        using memory = new Pages(
          COUNT,
          from((size) => numa_alloc_onnode(size, node)),
        );
        assert.match(numaMap(memory.address).policy, new RegExp(`^prefer.*:${node}$`));
        assert.deepEqual(memory.touch().placement(), { [node]: COUNT });
      } finally {
        numa_set_bind_policy(1);
      }
    },
  },
  {
    name: 'numa_alloc_interleaved is even to the page',
    run() {
      using memory = new Pages(COUNT, from(numa_alloc_interleaved));
      assert.deepEqual(memory.touch().placement(), evenly(memoryNodes()));
    },
  },
  {
    name: 'numa_alloc_interleaved_subset is even to the page',
    run() {
      const nodes = memoryNodes().slice(-2);
      const subset = from((size) => numa_alloc_interleaved_subset(size, nodes));
      using memory = new Pages(COUNT, subset);
      assert.deepEqual(memory.touch().placement(), evenly(nodes));
    },
  },
  {
    name: 'numa_alloc follows the policy of the thread, numa_alloc_local the thread itself',
    run() {
      const [first = 0, node = 0] = memoryNodes();
      numa_set_membind([node]);
      try {
        using memory = new Pages(COUNT, from(numa_alloc));
        assert.deepEqual([...new Set(memory.touch().nodesOfPages())], [node]);
      } finally {
        numa_set_localalloc();
      }
      numa_run_on_node(first);
      try {
        using memory = new Pages(COUNT, from(numa_alloc_local));
        assert.deepEqual([...new Set(memory.touch().nodesOfPages())], [first]);
      } finally {
        numa_run_on_node(-1);
      }
    },
  },
  {
    name: 'numa_interleave_memory, numa_tonode_memory, numa_tonodemask_memory and numa_setlocal_memory set the policy of a range',
    run() {
      const nodes = memoryNodes();
      const last = nodes.at(-1) ?? 0;
      using interleaved = new Pages(COUNT);
      numa_interleave_memory(interleaved.address, interleaved.length, nodes);
      assert.deepEqual(interleaved.touch().placement(), evenly(nodes));
      using bound = new Pages(COUNT);
      numa_tonode_memory(bound.address, bound.length, last);
      assert.deepEqual(bound.touch().placement(), { [last]: COUNT });
      using masked = new Pages(COUNT);
      numa_tonodemask_memory(masked.address, masked.length, [last]);
      assert.deepEqual(masked.touch().placement(), { [last]: COUNT });
      numa_setlocal_memory(masked.address, masked.length);
      assert.equal(numaMap(masked.address).policy, 'local');
    },
  },
  {
    name: 'numa_set_strict: a policy for memory that lies elsewhere is EIO',
    run() {
      const [first = 0, second = 0] = memoryNodes();
      using memory = new Pages(
        COUNT,
        from((size) => numa_alloc_onnode(size, first)),
      );
      memory.touch();
      numa_set_strict(1);
      try {
        assert.throws(() => numa_tonode_memory(memory.address, memory.length, second), { code: 'EIO' });
      } finally {
        numa_set_strict(0);
      }
      assert.deepEqual(memory.placement(), { [first]: COUNT });
    },
  },
  {
    name: 'numa_police_memory allocates every page now, where the policy says',
    run() {
      const [, node = 0] = memoryNodes();
      using memory = new Pages(COUNT);
      numa_tonode_memory(memory.address, memory.length, node);
      numa_police_memory(memory.address, memory.length);
      assert.deepEqual(memory.placement(), { [node]: COUNT });
    },
  },
  {
    name: 'numa_move_pages and numa_migrate_pages take pages to another node and back',
    run() {
      const [home = 0, away = 0] = memoryNodes();
      using memory = new Pages(
        COUNT,
        from((size) => numa_alloc_onnode(size, home)),
      );
      memory.touch();
      const there = numa_move_pages(0, memory.addresses(), Array<number>(COUNT).fill(away), MPOL_MF_MOVE);
      assert.deepEqual([...new Set(there)], [away]);
      assert.deepEqual(memory.placement(), { [away]: COUNT });
      numa_migrate_pages(0, [away], [home]);
      assert.deepEqual(memory.placement(), { [home]: COUNT });
      assert.deepEqual([...move_pages(0, [memory.address], null, 0)], [home]);
    },
  },
  {
    name: 'memory of a node that is absent, or has none, is an error',
    on: ['holes'],
    run() {
      for (const node of [1, 2]) {
        assert.throws(
          () =>
            new Pages(
              1,
              from((size) => numa_alloc_onnode(size, node)),
            ),
          /node|argument/i,
        );
      }
    },
  },
];
