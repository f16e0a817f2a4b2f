import { afterEach, expect, test } from 'vitest';
import {
  get_mempolicy,
  MPOL_BIND,
  MPOL_DEFAULT,
  MPOL_INTERLEAVE,
  MPOL_LOCAL,
  MPOL_PREFERRED,
  MPOL_PREFERRED_MANY,
} from '../../lib/libc/index.js';
import * as numa from '../../lib/libnuma/index.js';
import { expectRangeError, expectThrows, expectTypeError, thrown } from '../helpers/errors.js';
import { absentNode, describeLibnuma, program } from './helpers.js';

/** An answer, or the code of what is thrown. */
function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
}

describeLibnuma('the policy of this thread', () => {
  afterEach(() => numa.numa_set_interleave_mask([])); // the default

  test.each([
    ['numa_set_membind', () => numa.numa_set_membind([0]), { mode: MPOL_BIND, nodes: [0] }],
    [
      'numa_set_membind, a Bitmask',
      () => numa.numa_set_membind(numa.numa_all_nodes_ptr),
      { mode: MPOL_BIND },
    ],
    [
      'numa_set_interleave_mask',
      () => numa.numa_set_interleave_mask(new Set([0])),
      { mode: MPOL_INTERLEAVE, nodes: [0] },
    ],
    ['numa_set_interleave_mask of no nodes', () => numa.numa_set_interleave_mask([]), { mode: MPOL_DEFAULT }],
    ['numa_set_preferred', () => numa.numa_set_preferred(0), { mode: MPOL_PREFERRED, nodes: [0] }],
    ['numa_set_preferred(-1)', () => numa.numa_set_preferred(-1), { mode: MPOL_LOCAL }],
    ['numa_set_localalloc', () => numa.numa_set_localalloc(), { mode: MPOL_LOCAL }],
    ['numa_bind', () => numa.numa_bind(numa.numa_all_nodes_ptr), { mode: MPOL_BIND }],
  ])('%s is what get_mempolicy then says', (_, act, policy) => {
    act();
    expect(get_mempolicy()).toMatchObject(policy);
  });

  test('a Bitmask of any size is a set of nodes', async () => {
    expect(
      await program(`
        for (const size of [1, 64, 65, 5000]) {
          const mask = numa.numa_bitmask_setbit(new Bitmask(size), 0);
          say([outcome(() => numa.numa_set_membind(mask)), libc.get_mempolicy().nodes]);
        }`),
    ).toEqual([1, 64, 65, 5000].map(() => ['ok', [0]]));
  });

  test('libnuma reads back what it set', () => {
    numa.numa_set_membind([0]);
    expect([...numa.numa_get_membind()]).toEqual([0]);
    expect([...numa.numa_get_interleave_mask()]).toEqual([]);
    numa.numa_set_interleave_mask([0]);
    expect([...numa.numa_get_interleave_mask()]).toEqual([0]);
    expect(numa.numa_get_interleave_node()).toBe(0);
    expect(numa.numa_get_membind().equals(numa.numa_all_nodes_ptr)).toBe(true);
    numa.numa_set_preferred(0);
    expect(numa.numa_preferred()).toBe(0);
  });

  test('what newer libnumas have is there, or says which one has it', () => {
    const many = outcome(() => numa.numa_has_preferred_many());
    if (many === 1) {
      numa.numa_set_preferred_many([0]);
      expect(get_mempolicy()).toEqual({ mode: MPOL_PREFERRED_MANY, nodes: [0] });
      expect([...numa.numa_preferred_many()]).toEqual([0]);
    }
    expect([0, 1, 'ERR_MEMPROBE_UNSUPPORTED']).toContain(many);
    expect([0, 1, 'ERR_MEMPROBE_UNSUPPORTED']).toContain(outcome(() => numa.numa_has_home_node()));
    expect([-1, 0, 'ERR_MEMPROBE_UNSUPPORTED']).toContain(outcome(() => numa.numa_preferred_err()));
    for (const call of [
      () => numa.numa_set_weighted_interleave_mask([0]),
      () => numa.numa_get_weighted_interleave_mask(),
      () => numa.numa_set_membind_balancing([0]),
    ]) {
      const answer = outcome(call);
      if (answer === 'ERR_MEMPROBE_UNSUPPORTED')
        expect(thrown(call).message).toMatch(/needs (a libnuma later than|libnuma) 2\.0\.\d+/);
      else
        expect(typeof answer === 'string' ? ['EINVAL'] : [undefined, 'object']).toContain(
          typeof answer === 'object' ? 'object' : answer,
        );
    }
  });

  test('no node that may be used is EINVAL, with libnuma’s own word for it', () => {
    expectThrows('EINVAL', 'numa_set_membind', () => numa.numa_set_membind([]));
    const mask = numa.numa_bitmask_setbit(numa.numa_allocate_nodemask(), absentNode());
    expectThrows('EINVAL', 'numa_set_membind', () => numa.numa_set_membind(mask));
    expect(thrown(() => numa.numa_set_membind(mask)).message).toBe(
      `EINVAL: Invalid argument (set_mempolicy), numa_set_membind ${absentNode()}`,
    );
  });

  test('bad nodes name the parameter', () => {
    const calls = [
      numa.numa_set_membind,
      numa.numa_set_interleave_mask,
      numa.numa_bind,
      numa.numa_run_on_node_mask,
    ];
    for (const call of calls) {
      expectRangeError('nodes', () => call([absentNode()]));
      expectTypeError('nodes', () => Reflect.apply(call, undefined, [0]));
      expectTypeError('nodes', () => Reflect.apply(call, undefined, []));
      expectRangeError('nodes[1]', () => call([0, -1]));
      expectTypeError('nodes[0]', () => Reflect.apply(call, undefined, ['0']));
    }
    for (const node of [-2, absentNode(), 0.5]) {
      expectRangeError('node', () => numa.numa_set_preferred(node));
      expectRangeError('node', () => numa.numa_run_on_node(node));
    }
  });

  test('each worker has its own', async () => {
    expect(
      await program(`
        numa.numa_set_interleave_mask([0]);
        new Worker(\`const { parentPort } = require('node:worker_threads');
          const { libc } = require(process.env.ADDON); const second = { exports: {} }; process.dlopen(second, process.env.NUMA);
          const inherited = libc.get_mempolicy().mode;
          second.exports.libnuma.numa_set_membind([0]);
          parentPort.postMessage([inherited, libc.get_mempolicy().mode]);\`, { eval: true })
          .on('message', (modes) => say([...modes, libc.get_mempolicy().mode]));`),
    ).toEqual([[MPOL_INTERLEAVE, MPOL_BIND, MPOL_INTERLEAVE]]);
  });
});
