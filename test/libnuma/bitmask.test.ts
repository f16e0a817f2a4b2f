import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import * as numa from '../../lib/libnuma/index.js';
import { expectRangeError, expectTypeError, thrown } from '../helpers/errors.js';
import { describeLibnuma, nodesOnline, program } from './helpers.js';

const { Bitmask } = numa;

function mask(size: number, ...numbers: number[]): numa.Bitmask {
  const made = new Bitmask(size);
  for (const number of numbers) numa.numa_bitmask_setbit(made, number);
  return made;
}

const used = (call: () => unknown): string => Reflect.get(thrown(call), 'code');

describeLibnuma('Bitmask', () => {
  test('iterates over its numbers, whatever its size', () => {
    for (const size of [1, 63, 64, 65, 1000, 100_000]) {
      const numbers = [...new Set([0, size >> 1, size - 1])];
      expect([...mask(size, ...numbers)]).toEqual(numbers);
      expect(mask(size).size).toBe(size);
    }
  });

  test('equals what yields the same numbers', () => {
    expect(mask(10, 1, 3).equals(mask(2000, 3, 1))).toBe(true);
    expect(mask(10, 1, 3).equals(new Set([3, 1]))).toBe(true);
    expect(mask(10, 1, 3).equals([1])).toBe(false);
    expect(mask(10).equals([])).toBe(true);
    expectTypeError('other', () => Reflect.apply(mask(1).equals, mask(1), [5]));
  });

  test('is a string as numactl writes it', () => {
    expect([mask(9), mask(9, 4), mask(9, 0, 1, 2, 5, 7, 8)].map(String)).toEqual(['', '4', '0-2,5,7-8']);
  });

  test('shows itself to console.log, whatever has become of it', () => {
    const gone = mask(5, 1);
    numa.numa_bitmask_free(gone);
    const shown = [mask(9, 0, 1, 2, 5), mask(64), gone].map((each) => inspect(each));
    expect(shown).toEqual(['Bitmask(9) { 0-2,5 }', 'Bitmask(64) {}', 'Bitmask { freed }']);
    expect(inspect(mask(2000, ...Array.from({ length: 1000 }, (_, i) => 2 * i))).length).toBeLessThan(250);
  });

  test('of more numbers than V8 can hold, neither text nor list ends the process', async () => {
    expect(
      await program(`
        const huge = new Bitmask(2 ** 26);
        numa.numa_bitmask_setall(huge);
        const told = (call) => { try { return call(); } catch (error) { return error.code; } };
        say([String(huge), told(() => [...huge])]);
        for (let i = 0; i < 2 ** 26 / 64; i++) numa.numa_bitmask_clearbit(huge, 64 * i);
        say([told(() => { numa.numa_set_membind(huge); return 'ok'; }), require('node:util').inspect(huge).length < 250]);`),
    ).toEqual([
      ['0-67108863', 'ERR_OUT_OF_RANGE'],
      [expect.stringMatching(/^(ok|EINVAL|EPERM)$/), true],
    ]);
  });

  test('wants a size that there can be', () => {
    for (const size of [0, -1, 1.5, 2 ** 31]) expectRangeError('size', () => new Bitmask(size));
    expectTypeError('size', () => Reflect.construct(Bitmask, ['8']));
    expect(() => Reflect.apply(Bitmask, undefined, [8])).toThrow(/without 'new'/);
  });

  test('is nothing that another object can pass for', () => {
    const forged = Object.create(Bitmask.prototype);
    expectTypeError('this', () => forged.size);
    expectTypeError('mask', () => numa.numa_bitmask_weight(forged));
    expectTypeError('mask', () => Reflect.apply(numa.numa_bitmask_weight, undefined, [[0]]));
  });

  test('is collected without help: V8 is told what it weighs', async () => {
    const [peak] = await program(
      `const peak = () => Number(/VmHWM:\\s+(\\d+)/.exec(require('node:fs').readFileSync('/proc/self/status', 'latin1'))[1]) / 1024;
       const before = peak();
       (async () => {
         for (let i = 0; i < 60000; i++) {
           numa.numa_bitmask_setbit(numa.numa_bitmask_setbit(new Bitmask(1 << 16), 0), 65535);
           if (i % 500 === 0) await new Promise(setImmediate);
         }
         say(peak() - before);
       })();`,
    );
    expect(peak).toBeLessThan(250); // MiB, of 470 that were made
  });

  test('freed, it is used no more and freed no more', () => {
    for (const free of [numa.numa_bitmask_free, numa.numa_free_nodemask, numa.numa_free_cpumask]) {
      const gone = mask(100, 1);
      free(gone);
      for (const use of [
        () => free(gone),
        () => gone.size,
        () => [...gone],
        () => String(gone),
        () => mask(1).equals(gone),
        () => numa.numa_bitmask_setbit(gone, 1),
        () => numa.numa_set_membind(gone),
        () => numa.numa_sched_setaffinity(0, gone),
      ]) {
        expect(used(use), String(use)).toBe('ERR_MEMPROBE_NOT_OWNED');
      }
    }
  });

  test('freed while the next argument is read, it was read already', () => {
    const from = mask(1024, 0);
    function* freeing(): Generator<number> {
      numa.numa_bitmask_free(from);
      yield 0;
    }
    expect(numa.numa_migrate_pages(0, from, freeing())).toBe(0);
  });

  test('freed while it is compared, it is used no more', async () => {
    const answers = await program(`
      const freed = new Bitmask(1 << 24);
      const other = { *[Symbol.iterator]() { numa.numa_bitmask_free(freed); yield 1; } };
      say(outcome(() => freed.equals(other)));`);
    expect(answers).toEqual(['ERR_MEMPROBE_NOT_OWNED']);
  });

  test('libnuma’s own are constant, and nobody frees them', () => {
    for (const own of [
      numa.numa_all_nodes_ptr,
      numa.numa_no_nodes_ptr,
      numa.numa_all_cpus_ptr,
      numa.numa_nodes_ptr,
    ]) {
      expect(used(() => numa.numa_bitmask_free(own))).toBe('ERR_MEMPROBE_NOT_OWNED');
      expect(used(() => numa.numa_bitmask_clearall(own))).toBe('ERR_MEMPROBE_NOT_OWNED');
      expect(used(() => numa.copy_bitmask_to_bitmask(mask(4), own))).toBe('ERR_MEMPROBE_NOT_OWNED');
    }
    expect([...numa.numa_nodes_ptr]).toEqual(nodesOnline());
    expect([...numa.numa_no_nodes_ptr, ...numa.numa_no_nodes]).toEqual([]);
    expect(numa.numa_all_nodes.size).toBe(numa.NUMA_NUM_NODES);
  });
});

describeLibnuma('numa_bitmask_*', () => {
  test('numa_bitmask_alloc(0) throws instead of ending the process', () => {
    expect(thrown(() => numa.numa_bitmask_alloc(0))).toMatchObject({
      code: 'ERR_OUT_OF_RANGE',
      message: expect.stringContaining('"n"'),
    });
    expect(numa.numa_bitmask_alloc(77).size).toBe(77);
    expectRangeError('n', () => numa.numa_bitmask_alloc(-1));
  });

  test('where there is no memory numa_bitmask_alloc throws too', async () => {
    expect(
      await program(`say(outcome(() => numa.numa_bitmask_alloc(2147483647)))`, {
        before: 'ulimit -v 50000000',
      }),
    ).toEqual(['ok']);
    const [end] = await program(
      `const kept = [], spared = anonymous(1 << 28); let error; try { for (let i = 0; i < 400; i++) kept.push(numa.numa_bitmask_alloc(2147483647)); }
       catch (thrown) { libc.munmap(spared, 1 << 28); error = thrown.code; } kept.length = 0; say(error)`,
      { before: 'ulimit -v 50000000' },
    );
    expect(end).toBe('ENOMEM');
  });

  test('set, clear and look at bits; those that change a mask return it', () => {
    const bits = new Bitmask(70);
    expect(numa.numa_bitmask_setbit(bits, 69)).toBe(bits);
    expect([0, 69, 70, 4294967295].map((n) => numa.numa_bitmask_isbitset(bits, n))).toEqual([0, 1, 0, 0]);
    expect(numa.numa_bitmask_weight(numa.numa_bitmask_setall(bits))).toBe(70);
    expect(numa.numa_bitmask_weight(numa.numa_bitmask_clearbit(bits, 3))).toBe(69);
    expect([...numa.numa_bitmask_clearall(bits)]).toEqual([]);
    expect([1, 64, 65].map((size) => numa.numa_bitmask_nbytes(new Bitmask(size)))).toEqual([8, 8, 16]);
    expect(thrown(() => numa.numa_bitmask_setbit(bits, 70)).message).toContain('"n"');
    expect(thrown(() => numa.numa_bitmask_clearbit(bits, 70)).message).toContain('"n"');
    expectRangeError('n', () => numa.numa_bitmask_setbit(bits, -1));
  });

  test('numa_bitmask_equal compares masks of different sizes', () => {
    expect(numa.numa_bitmask_equal(mask(5, 2), mask(500, 2))).toBe(1);
    expect(numa.numa_bitmask_equal(mask(5, 2), mask(500, 2, 400))).toBe(0);
  });

  test('copy_* cut off and fill up', () => {
    const small = mask(64, 63);
    const large = mask(300, 1, 299);
    numa.copy_bitmask_to_bitmask(large, small);
    expect([...small]).toEqual([1]);
    numa.copy_bitmask_to_bitmask(small, large);
    expect([...large]).toEqual([1]);
    const tiny = new Bitmask(10);
    numa.copy_bitmask_to_bitmask(mask(64, 3, 63), tiny); // C copies whole words
    expect([[...tiny], String(tiny), numa.numa_bitmask_weight(tiny)]).toEqual([[3], '3', 1]);
    numa.copy_bitmask_to_bitmask(tiny, large);
    expect([...large]).toEqual([3]);
    const nodes = new Bitmask(numa.NUMA_NUM_NODES);
    numa.copy_bitmask_to_nodemask(mask(300, 2, 299), nodes);
    expect([...nodes]).toEqual([2]);
    numa.copy_nodemask_to_bitmask(nodes, large);
    expect([...large]).toEqual([2]);
  });

  test('numa_allocate_nodemask and numa_allocate_cpumask are as large as the kernel’s', () => {
    expect(numa.numa_allocate_nodemask().size).toBe(numa.numa_num_possible_nodes());
    expect(numa.numa_allocate_cpumask().size).toBe(numa.numa_num_possible_cpus());
  });
});
