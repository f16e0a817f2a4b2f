/** Workloads on every allocator, in processes of their own. */
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { compare } from '../../dist/compare/compare.js';
import { Stream } from '../../lib/compare/stream.js';
import { makeWorkload } from '../../lib/compare/workloads.js';
import { underSanitizer } from '../helpers/child.js';

/** The processes that replay, of this one. */
async function replaying(): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = / (\d+)$/.exec(
        /\) \S \d+/.exec(readFileSync(`/proc/${name}/stat`, 'latin1'))?.[0] ?? '',
      );
      const command = readFileSync(`/proc/${name}/cmdline`, 'latin1');
      if (Number(parent?.[1]) === process.pid && command.includes('compare/child.js'))
        found.push(Number(name));
    } catch {
      // it has ended meanwhile
    }
  }
  return found;
}

describe.skipIf(underSanitizer)('a workload on every allocator', () => {
  test('each spans about what is live, and no process is left', async () => {
    const steps: string[] = [];
    const workload = makeWorkload('FIFO');
    const compared = await compare(workload, ['a note'], {
      picture: true,
      progress: (step) => steps.push(step),
    });
    const { results, timeline, peakLive, notes } = compared;
    expect(results.map(({ allocator }) => allocator)).toEqual(['typescript', 'glibc', 'glibc-called']);
    for (const {
      allocator,
      nanoseconds,
      peak,
      peakOverLive,
      resident,
      failed,
      picture,
      ...rest
    } of results) {
      expect(failed, allocator).toBe(0);
      expect(nanoseconds, allocator).toBeGreaterThan(1);
      expect(peakOverLive, allocator).toBe(peak / peakLive);
      expect(peakOverLive, allocator).toBeGreaterThan(1);
      expect(peakOverLive, allocator).toBeLessThan(allocator === 'glibc-called' ? 3 : 1.5);
      expect(resident, allocator).toBeGreaterThan(peakLive);
      expect(rest.timeline.length, allocator).toBe(timeline.at.length);
      expect(picture?.length, allocator).toBeGreaterThan(500);
    }
    expect(Math.max(...timeline.live)).toBeGreaterThan(0.99 * peakLive);
    expect(notes).toEqual(['a note']);
    expect(steps.at(-1)).toBe('FIFO: time, 100%');
    expect(await replaying()).toEqual([]);
  });

  test('a single allocation is a workload', async () => {
    const stream = new Stream();
    stream.set(0, 100);
    const { results, calls } = await compare(stream.finish('one'));
    expect(calls).toBe(2);
    for (const { nanoseconds, peak } of results) {
      expect(nanoseconds).toBeGreaterThan(0);
      expect(peak).toBeGreaterThanOrEqual(100);
    }
  });

  test('interrupted, it ends its processes', async () => {
    const interrupt = new AbortController();
    const comparing = compare(makeWorkload('500k live'), [], { signal: interrupt.signal });
    comparing.catch(() => {}); // awaited below
    while ((await replaying()).length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
    interrupt.abort(new Error('enough'));
    await expect(comparing).rejects.toThrow('enough');
    expect(await replaying()).toEqual([]);
  });

  test('a process that is killed is an error that names the replay', async () => {
    const comparing = compare(makeWorkload('500k live'));
    comparing.catch(() => {}); // awaited below
    let pids = await replaying();
    for (; pids.length < 3; pids = await replaying()) await new Promise((resolve) => setTimeout(resolve, 20));
    process.kill(pids[0] ?? 0, 'SIGKILL');
    await expect(comparing).rejects.toMatchObject({
      code: 'ERR_MEMPROBE_REPLAY',
      message: expect.stringMatching(/^the replay of 500k live on .* was ended by SIGKILL/),
    });
    expect(await replaying()).toEqual([]);
  });
});
