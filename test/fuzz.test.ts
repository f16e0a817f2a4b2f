/** A short run of the fuzzer (npm run fuzz makes the long one), and that it would notice a death. */
import { describe, expect, test } from 'vitest';
import { campaign, replay } from './fuzz/campaign.js';
import { describeStep, sequence } from './fuzz/sequence.js';
import { targets } from './fuzz/surface.js';

describe('the fuzzer', () => {
  test('calls every export of the safe modules, methods and static functions too', () => {
    const names = targets.map(({ name }) => name);
    expect(new Set(names).size).toBeGreaterThan(200);
    expect(names).toEqual(
      expect.arrayContaining([
        'libc.mmap',
        'promises.munmap',
        'libnuma.numa_alloc',
        'procfs.readMaps',
        'main.explain',
      ]),
    );
  });

  test('makes the same of the same seed', () => {
    const steps = sequence(7, 11).map(describeStep);
    expect(sequence(7, 11).map(describeStep)).toEqual(steps);
    expect(sequence(7, 12).map(describeStep)).not.toEqual(steps);
  });

  test('names the call, sequence and seed of a death, and leaves out what it does not need', async () => {
    const death = await replay(7, 11, { plant: 'process.abort()' });
    expect(death).toMatchObject({ sequence: 11, alone: true, how: 'SIGABRT', steps: ['process.abort()'] });
  }, 600_000);
});

test('some thousand hostile calls kill no process', async () => {
  const seed = Number(process.env.MEMPROBE_FUZZ_SEED ?? Date.now() % 2 ** 31);
  const { calls, outcomes, deaths } = await campaign({ seed, calls: 4000 });
  expect(deaths, `seed ${seed}`).toEqual([]);
  expect(calls).toBeGreaterThan(3999);
  expect(outcomes.size).toBeGreaterThan(200);
}, 600_000);
