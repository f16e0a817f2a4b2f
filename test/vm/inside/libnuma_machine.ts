/** What libnuma says of the machine, of threads and of masks, with several nodes. */
import assert from 'node:assert/strict';
import {
  numa_all_nodes_ptr,
  numa_available,
  numa_distance,
  numa_get_mems_allowed,
  numa_get_run_node_mask,
  numa_max_node,
  numa_max_possible_node,
  numa_node_of_cpu,
  numa_node_size64,
  numa_node_to_cpus,
  numa_nodes_ptr,
  numa_num_configured_cpus,
  numa_num_configured_nodes,
  numa_num_task_nodes,
  numa_parse_cpustring,
  numa_parse_nodestring,
  numa_parse_nodestring_all,
  numa_run_on_node,
  numa_run_on_node_mask,
  numa_sched_setaffinity,
} from '../../../lib/libnuma/index.js';
import type { Check } from './check.js';
import { Pages } from './memory.js';
import { hardware, memoryNodes, shown, status } from './witness.js';

const COUNT = 16;
const MIB = 1n << 20n;

/** Runs where `place` puts this thread, and everywhere again. */
function running<T>(place: () => void, run: () => T): T {
  place();
  try {
    return run();
  } finally {
    numa_run_on_node(-1);
  }
}

/** What the kernel's masks of nodes have room for: the width of Mems_allowed. */
const nodeMaskBits = (): number => status('Mems_allowed').split(',').length * 32;

/** Cpus_allowed_list of the main thread. */
const allowedCpus = (): string => status('Cpus_allowed_list');

export const libnumaMachineChecks: readonly Check[] = [
  {
    name: 'libnuma counts nodes, those with memory and CPUs as sysfs does',
    run() {
      const { nodes, cpus } = hardware();
      assert.equal(numa_available(), 0);
      assert.equal(numa_max_node(), Math.max(...nodes));
      assert.equal(numa_max_possible_node(), nodeMaskBits() - 1);
      assert.equal(numa_num_configured_nodes(), memoryNodes().length);
      assert.equal(numa_num_task_nodes(), memoryNodes().length);
      assert.equal(numa_num_configured_cpus(), [...cpus.values()].flat().length);
      assert.deepEqual([...numa_nodes_ptr], nodes);
      assert.deepEqual([...numa_all_nodes_ptr], memoryNodes());
      assert.deepEqual([...numa_get_mems_allowed()], memoryNodes());
    },
  },
  {
    name: 'numa_distance is the table of numactl --hardware, and 0 for absent nodes',
    run() {
      const { nodes, distances } = hardware();
      assert.deepEqual(
        nodes.map((from) => nodes.map((to) => numa_distance(from, to))),
        distances,
      );
      for (const absent of [2, 3].filter((node) => !nodes.includes(node))) {
        assert.equal(numa_distance(0, absent), 0);
      }
    },
  },
  {
    name: 'numa_node_size64 is what the node has, and free is less',
    run() {
      for (const [node, mib] of hardware().size) {
        if (mib === 0) continue;
        const { size, free } = numa_node_size64(node);
        assert.equal(Number(size / MIB), mib);
        assert(free > 0n && free < size);
      }
    },
  },
  {
    name: 'numa_node_to_cpus and numa_node_of_cpu agree with numactl --hardware, for nodes without CPUs too',
    run() {
      for (const [node, cpus] of hardware().cpus) {
        assert.deepEqual([...numa_node_to_cpus(node)], cpus);
        for (const cpu of cpus) assert.equal(numa_node_of_cpu(cpu), node);
      }
    },
  },
  {
    name: 'node strings name the nodes of this machine: lists and all; absent ones are null',
    run() {
      const nodes = memoryNodes();
      assert.deepEqual([...(numa_parse_nodestring('all') ?? [])], nodes);
      assert.deepEqual([...(numa_parse_nodestring(nodes.join(',')) ?? [])], nodes);
      assert.equal(numa_parse_nodestring('9'), null);
      assert.deepEqual([...(numa_parse_nodestring_all('0-1') ?? [])], [0, 1]);
      assert.deepEqual([...(numa_parse_cpustring('1-2') ?? [])], [1, 2]);
    },
  },
  {
    // libnuma takes these as if there were no holes.
    name: 'node strings: relative ones count in the nodes that may be used, ! means all but these',
    on: ['two', 'four'],
    run() {
      assert.deepEqual([...(numa_parse_nodestring('+1') ?? [])], [1]);
      assert.deepEqual([...(numa_parse_nodestring('!0') ?? [])], memoryNodes().slice(1));
    },
  },
  {
    name: 'a hole in the node numbers parses as null',
    on: ['holes'],
    run: () => assert.equal(numa_parse_nodestring('2'), null),
  },
  {
    name: 'numa_run_on_node: the thread runs on the CPUs of that node, on each that has some',
    run() {
      for (const [node, cpus] of hardware().cpus) {
        if (cpus.length === 0) continue;
        const found = running(
          () => numa_run_on_node(node),
          () => [allowedCpus(), [...numa_get_run_node_mask()], shown('nodebind')],
        );
        // libnuma leaves a node without memory out of the mask, and so does numactl.
        const mask = memoryNodes().includes(node) ? [node] : [];
        assert.deepEqual(found, [`${cpus[0]}-${cpus.at(-1)}`, mask, mask.join(' ')]);
      }
      assert.equal(allowedCpus(), '0-3');
    },
  },
  {
    name: 'memory that a thread touches on a node comes from there',
    on: ['two', 'four'],
    run() {
      for (const node of [1, 0]) {
        using memory = new Pages(COUNT);
        running(
          () => numa_run_on_node_mask([node]),
          () => memory.touch(),
        );
        assert.deepEqual(memory.placement(), { [node]: COUNT });
      }
    },
  },
  {
    name: 'nothing runs on a node that has memory alone: EINVAL',
    on: ['four', 'holes'],
    run: () => assert.throws(() => numa_run_on_node(3), { code: 'EINVAL', syscall: 'numa_run_on_node' }),
  },
  {
    name: 'numa_sched_setaffinity: the thread runs on one CPU',
    run() {
      const found = running(() => numa_sched_setaffinity(0, [3]), allowedCpus);
      assert.equal(found, '3');
    },
  },
];
