/** libnuma's policies of a thread, as `numactl --show` sees them. */
import assert from 'node:assert/strict';
import { MPOL_DEFAULT, set_mempolicy } from '../../../lib/libc/index.js';
import {
  numa_bind,
  numa_get_interleave_mask,
  numa_get_membind,
  numa_has_preferred_many,
  numa_preferred,
  numa_run_on_node,
  numa_set_interleave_mask,
  numa_set_localalloc,
  numa_set_membind,
  numa_set_preferred,
  numa_set_preferred_many,
} from '../../../lib/libnuma/index.js';
import type { Check } from './check.js';
import { Pages } from './memory.js';
import { memoryNodes, output, shown } from './witness.js';

const COUNT = 24;

/** Under a policy that `set` sets: pages by node, and what `ask` finds. */
function under<T>(set: () => void, ask: () => T): { placement: Record<number, number>; found: T } {
  using memory = new Pages(COUNT).tabled();
  set();
  try {
    memory.populate();
    return { found: ask(), placement: memory.placement() };
  } finally {
    set_mempolicy(MPOL_DEFAULT, null);
    numa_run_on_node(-1);
  }
}

const second = (): number => memoryNodes()[1] ?? 0;

export const libnumaPolicyChecks: readonly Check[] = [
  {
    name: 'numa_set_membind binds the thread',
    run() {
      const node = second();
      const { placement, found } = under(
        () => numa_set_membind([node]),
        () => [[...numa_get_membind()], shown('policy'), shown('membind')],
      );
      assert.deepEqual(placement, { [node]: COUNT });
      assert.deepEqual(found, [[node], 'bind', String(node)]);
    },
  },
  {
    name: 'numa_bind binds memory and CPUs',
    on: ['two', 'four'],
    run() {
      const { placement, found } = under(
        () => numa_bind([1]),
        () => [shown('policy'), shown('nodebind'), shown('membind')],
      );
      assert.deepEqual(placement, { 1: COUNT });
      assert.deepEqual(found, ['bind', '1', '1']);
    },
  },
  {
    name: 'numa_set_interleave_mask interleaves, even to the page',
    run() {
      const nodes = memoryNodes();
      const { placement, found } = under(
        () => numa_set_interleave_mask(nodes),
        () => [[...numa_get_interleave_mask()], shown('policy'), shown('interleavemask')],
      );
      assert.deepEqual(placement, Object.fromEntries(nodes.map((node) => [node, COUNT / nodes.length])));
      assert.deepEqual(found, [nodes, 'interleave', nodes.join(' ')]);
    },
  },
  {
    name: 'numa_set_preferred prefers a node, -1 none',
    run() {
      const node = second();
      const { placement, found } = under(
        () => numa_set_preferred(node),
        () => [numa_preferred(), shown('policy'), shown('preferred node')],
      );
      assert.deepEqual(placement, { [node]: COUNT });
      assert.deepEqual(found, [node, 'preferred', String(node)]);
      assert.equal(under(() => numa_set_preferred(-1), () => shown('policy')).found, 'local'); // prettier-ignore
    },
  },
  {
    name: 'numa_set_preferred_many prefers several nodes',
    on: ['four'],
    run() {
      assert.equal(numa_has_preferred_many(), 1);
      const { placement, found } = under(
        () => numa_set_preferred_many([2, 3]),
        () => output('numactl', '--show'),
      );
      assert.equal(
        Object.keys(placement).filter((node) => node === '2' || node === '3').length,
        Object.keys(placement).length,
      );
      assert.match(found, /^preferred: 2 3 *$/m);
    },
  },
  {
    name: 'numa_set_localalloc allocates where the thread runs',
    on: ['two', 'four'],
    run() {
      const local = () => {
        numa_run_on_node(1);
        numa_set_localalloc();
      };
      assert.deepEqual(under(local, () => undefined).placement, { 1: COUNT });
    },
  },
];
