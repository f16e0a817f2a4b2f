import { expect, test } from 'vitest';
import * as numa from '../../lib/libnuma/index.js';
import { expectRangeError, expectThrows, expectTypeError, thrown } from '../helpers/errors.js';
import { describeLibnuma, program } from './helpers.js';

const SEEN = `const seen = () => /Cpus_allowed_list:\\s+(.*)/.exec(require('node:fs').readFileSync('/proc/thread-self/status', 'latin1'))[1];`;

describeLibnuma('where threads run', () => {
  test('numa_sched_setaffinity and numa_run_on_node are what /proc then says', async () => {
    const [before, one, ...all] = await program(`${SEEN}
      say(seen());
      const [cpu] = masks.numa_all_cpus_ptr;
      numa.numa_sched_setaffinity(0, [cpu]); say([seen() === String(cpu), [...numa.numa_sched_getaffinity(0)].join() === String(cpu)]);
      numa.numa_sched_setaffinity(0, masks.numa_all_cpus_ptr); say(seen());
      numa.numa_sched_setaffinity(0, [cpu]); numa.numa_run_on_node(-1); say(seen());
      numa.numa_sched_setaffinity(0, [cpu]); numa.numa_run_on_node_mask(masks.numa_all_nodes_ptr); say(seen());
      numa.numa_sched_setaffinity(0, [cpu]); numa.numa_run_on_node_mask_all(masks.numa_nodes_ptr); say(seen());`);
    expect(one).toEqual([true, true]);
    expect(all).toEqual([before, before, before, before]);
  });

  test('numa_run_on_node is the node’s cpus', async () => {
    expect(
      await program(`${SEEN} numa.numa_run_on_node(0); say([seen(), [...numa.numa_get_run_node_mask()]]);`),
    ).toEqual([[String(numa.numa_node_to_cpus(0)), [0]]]);
  });

  test('numa_sched_getaffinity fills a mask and returns it; one that is too small names the parameter', () => {
    const mask = numa.numa_allocate_cpumask();
    expect(numa.numa_sched_getaffinity(process.pid, mask)).toBe(mask);
    expect(mask.equals(numa.numa_all_cpus_ptr)).toBe(true);
    expect(thrown(() => numa.numa_sched_getaffinity(0, new numa.Bitmask(1))).message).toContain('"mask"');
    expectThrows('ESRCH', 'numa_sched_getaffinity', () => numa.numa_sched_getaffinity(2 ** 31 - 1));
    expectThrows('EINVAL', 'numa_sched_setaffinity', () => numa.numa_sched_setaffinity(0, []));
  });

  test('bad cpus name the parameter', () => {
    expectRangeError('cpus', () => numa.numa_sched_setaffinity(0, [numa.numa_num_configured_cpus()]));
    expectRangeError('cpus[0]', () => numa.numa_sched_setaffinity(0, [-1]));
    expectTypeError('cpus', () => Reflect.apply(numa.numa_sched_setaffinity, undefined, [0, 0]));
    expectTypeError('mask', () => Reflect.apply(numa.numa_sched_getaffinity, undefined, [0, [0]]));
    expectTypeError('pid', () => Reflect.apply(numa.numa_sched_getaffinity, undefined, ['0']));
  });
});
