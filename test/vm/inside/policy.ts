/** Memory policies of threads and ranges: which node a page comes from. */
import assert from 'node:assert/strict';
import {
  get_mempolicy,
  MPOL_BIND,
  MPOL_DEFAULT,
  MPOL_F_ADDR,
  MPOL_F_MEMS_ALLOWED,
  MPOL_F_NODE,
  MPOL_F_STATIC_NODES,
  MPOL_INTERLEAVE,
  MPOL_LOCAL,
  MPOL_PREFERRED,
  MPOL_PREFERRED_MANY,
  MPOL_WEIGHTED_INTERLEAVE,
  mbind,
  NULL,
  set_mempolicy,
  set_mempolicy_home_node,
} from '../../../lib/libc/index.js';
import { type Check, Skipped } from './check.js';
import { onCpu, Pages, withPolicy } from './memory.js';
import { hardware, kernelIsAtLeast, memoryNodes, numaMap, shown } from './witness.js';

const COUNT = 60;

/** Where pages land that come under this policy of the thread. */
function placedUnder(mode: number, nodes: readonly number[] | null): Record<number, number> {
  using memory = new Pages(COUNT).tabled();
  withPolicy(mode, nodes, () => memory.populate());
  return memory.placement();
}

function boundTo(mode: number, nodes: readonly number[] | null): Pages {
  const memory = new Pages(COUNT);
  mbind(memory.address, memory.length, mode, nodes, 0);
  return memory.touch();
}

export const policyChecks: readonly Check[] = [
  {
    name: 'mbind: memory comes from the node it is bound to, on every node that has some',
    run() {
      for (const node of memoryNodes()) {
        using memory = boundTo(MPOL_BIND, [node]);
        assert.deepEqual(memory.placement(), { [node]: COUNT });
        assert.equal(numaMap(memory.address).policy, `bind:${node}`);
        assert.deepEqual(get_mempolicy(memory.address, MPOL_F_ADDR), { mode: MPOL_BIND, nodes: [node] });
        assert.equal(get_mempolicy(memory.address, MPOL_F_ADDR | MPOL_F_NODE).mode, node);
      }
    },
  },
  {
    name: 'set_mempolicy: a bound thread allocates there, on every node, and numactl --show agrees',
    run() {
      for (const node of memoryNodes()) {
        assert.deepEqual(placedUnder(MPOL_BIND, [node]), { [node]: COUNT });
        const show = withPolicy(MPOL_BIND, [node], () => [shown('policy'), shown('membind')]);
        assert.deepEqual(show, ['bind', String(node)]);
      }
    },
  },
  {
    name: 'interleaving is even to the page: over all nodes by thread, and by range',
    run() {
      const nodes = memoryNodes();
      const even = Object.fromEntries(nodes.map((node) => [node, COUNT / nodes.length]));
      assert.deepEqual(placedUnder(MPOL_INTERLEAVE, nodes), even);
      using memory = boundTo(MPOL_INTERLEAVE, nodes);
      assert.deepEqual(memory.placement(), even);
      assert.match(numaMap(memory.address).policy, /^interleave:/);
    },
  },
  {
    name: 'interleaving over some nodes takes them in turn, page by page',
    on: ['four'],
    run() {
      using memory = boundTo(MPOL_INTERLEAVE, [1, 2, 3]);
      const turn = memory.nodesOfPages();
      assert.deepEqual([...turn.slice(0, 3)].sort(), [1, 2, 3]);
      turn.forEach((node, i) => assert.equal(node, turn[i % 3]));
    },
  },
  {
    name: 'get_mempolicy names the node that comes next in interleaving',
    run() {
      for (const node of memoryNodes()) {
        const next = withPolicy(MPOL_INTERLEAVE, [node], () => get_mempolicy(NULL, MPOL_F_NODE).mode);
        assert.equal(next, node);
      }
    },
  },
  {
    name: 'weighted interleaving reaches every node that has memory',
    run() {
      if (!kernelIsAtLeast(6, 9))
        throw new Skipped('weighted interleaving came with Linux 6.9; this kernel is older');
      const nodes = memoryNodes();
      assert.deepEqual(Object.keys(placedUnder(MPOL_WEIGHTED_INTERLEAVE, nodes)).map(Number), nodes);
    },
  },
  {
    name: 'preferred: pages come from that node while it has room',
    run() {
      for (const node of memoryNodes()) {
        assert.deepEqual(placedUnder(MPOL_PREFERRED, [node]), { [node]: COUNT });
        assert.equal(
          withPolicy(MPOL_PREFERRED, [node], () => shown('preferred node')),
          String(node),
        );
      }
    },
  },
  {
    name: 'preferred: more than the node has goes to others, where bound memory would not',
    on: ['four'],
    run() {
      const mib = hardware().size.get(2) ?? 0;
      using memory = new Pages((mib + 16) * 256);
      mbind(memory.address, memory.length, MPOL_PREFERRED, [2], 0);
      const { 2: there = 0, ...others } = memory.touch().placement();
      assert(there > (mib * 256) / 2, `${there} pages of ${mib} MiB on node 2`);
      assert(Object.values(others).reduce((sum, pages) => sum + pages, 0) > 0);
    },
  },
  {
    name: 'preferred-many: the nearest of several nodes comes first',
    on: ['four'],
    run() {
      using memory = new Pages(COUNT);
      mbind(memory.address, memory.length, MPOL_PREFERRED_MANY, [2, 3], 0);
      onCpu(0, () => memory.touch(0, COUNT / 2));
      assert.deepEqual(memory.placement(), { 2: COUNT / 2 });
      onCpu(2, () => memory.touch(COUNT / 2));
      assert.deepEqual(memory.placement(), { 2: COUNT / 2, 3: COUNT / 2 });
      assert.match(numaMap(memory.address).policy, /^prefer \(many\):2-3$/);
    },
  },
  {
    name: 'a home node comes first among the bound ones',
    on: ['four'],
    run() {
      using memory = new Pages(COUNT);
      mbind(memory.address, memory.length, MPOL_BIND, [0, 1, 2, 3], 0);
      set_mempolicy_home_node(memory.address, memory.length, 3, 0);
      assert.deepEqual(memory.touch().placement(), { 3: COUNT });
    },
  },
  {
    name: 'local: pages come from the node of the CPU that touches them',
    run() {
      for (const [node, [cpu]] of hardware().cpus) {
        if (cpu === undefined || !memoryNodes().includes(node)) continue;
        assert.deepEqual(
          onCpu(cpu, () => placedUnder(MPOL_LOCAL, null)),
          { [node]: COUNT },
        );
        assert.deepEqual(
          onCpu(cpu, () => placedUnder(MPOL_DEFAULT, null)),
          { [node]: COUNT },
        );
      }
    },
  },
  {
    name: 'local on a node without memory takes the nearest that has some',
    on: ['holes'],
    run: () =>
      assert.deepEqual(
        onCpu(2, () => placedUnder(MPOL_LOCAL, null)),
        { 0: COUNT },
      ),
  },
  {
    name: 'static nodes stay in the policy as they were named',
    run() {
      const [, node = 0] = memoryNodes();
      using memory = boundTo(MPOL_BIND | MPOL_F_STATIC_NODES, [node]);
      assert.deepEqual(memory.placement(), { [node]: COUNT });
      assert.equal(numaMap(memory.address).policy, `bind=static:${node}`);
      const { mode, nodes } = get_mempolicy(memory.address, MPOL_F_ADDR);
      assert.deepEqual([mode, nodes], [MPOL_BIND | MPOL_F_STATIC_NODES, [node]]);
    },
  },
  {
    name: 'a policy of a range goes before that of its thread',
    run() {
      const [first = 0, second = 0] = memoryNodes();
      using memory = new Pages(COUNT);
      mbind(memory.address, memory.length, MPOL_BIND, [second], 0);
      withPolicy(MPOL_BIND, [first], () => memory.touch());
      assert.deepEqual(memory.placement(), { [second]: COUNT });
    },
  },
  {
    name: 'nodes without memory are passed over, and when none is left the call says EINVAL',
    on: ['holes'],
    run() {
      assert.deepEqual(placedUnder(MPOL_BIND, [1, 2, 3]), { 3: COUNT });
      for (const node of [1, 2, 7]) assert.throws(() => set_mempolicy(MPOL_BIND, [node]), { code: 'EINVAL' });
    },
  },
  {
    name: 'the nodes that may be used are those that have memory',
    run: () => assert.deepEqual(get_mempolicy(NULL, MPOL_F_MEMS_ALLOWED).nodes, memoryNodes()),
  },
];
