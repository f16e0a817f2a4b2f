/** The built-in workloads, against a naive count of what they ask for. */
import { describe, expect, test } from 'vitest';
import { planOf } from '../../lib/compare/plan.js';
import { Stream } from '../../lib/compare/stream.js';
import { makeWorkload, WORKLOADS } from '../../lib/compare/workloads.js';
import { naive } from './naive.js';

describe.each(WORKLOADS)('the workload %s', (name) => {
  const workload = makeWorkload(name);
  const counted = naive(workload.ops);

  test('frees what it allocates, reallocates only what is there, and its figures are those of a naive count', () => {
    expect(counted.left).toBe(0);
    expect(counted.reallocatedNothing).toBe(0);
    const { calls, pairs, peakLive, slots } = workload;
    expect({ calls, pairs, peakLive, slots }).toEqual({
      calls: counted.calls,
      pairs: counted.pairs,
      peakLive: counted.peakLive,
      slots: counted.slots,
    });
  });

  test('is the same each time', () => {
    expect(Buffer.from(makeWorkload(name).ops.buffer).equals(Buffer.from(workload.ops.buffer))).toBe(true);
  });

  test('is pictured when it is as good as fullest, and sampled from there to its end', () => {
    const { moment, samples, at, live } = planOf(workload);
    expect(counted.live[moment - 1]).toBeGreaterThanOrEqual(0.99 * workload.peakLive);
    expect(samples[0] + samples[1]).toBe(at.length);
    expect(at[samples[0] - 1]).toBe(moment);
    expect(at.at(-1)).toBe(workload.ops.length / 2);
    expect(at.every((end, i) => end >= (at[i - 1] ?? 0))).toBe(true);
    expect(live).toEqual(at.map((end) => counted.live[end - 1]));
  });
});

test('a stream grows beyond its first room', () => {
  const stream = new Stream();
  for (let i = 0; i < 100_000; i++) stream.set(i % 7, 8 + (i % 5));
  const { ops } = stream.finish('long');
  expect(ops.length).toBe(2 * (100_000 + 7));
  expect([...ops.subarray(2 * 99_999, 2 * 99_999 + 4)]).toEqual([99_999 % 7, 8 + (99_999 % 5), 0, 0]);
});
