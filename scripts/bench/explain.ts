/**
 * How long explain() holds the event loop of a process with 60,000 mappings. Run it with `npx tsx`.
 *
 * Every second page of a big mapping gets another protection, so that the kernel has to keep each page apart. The
 * mapping is made without the guard (memprobe/unsafe), to be like a program's own.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { explain } from '../../lib/explain/index.js';
import {
  MAP_ANONYMOUS,
  MAP_POPULATE,
  MAP_PRIVATE,
  mmap,
  mprotect,
  munmap,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from '../../lib/unsafe.js';

const PAGE = 4096;
const MAPPINGS = 60_000;
const ROUNDS = 5;

const length = MAPPINGS * PAGE;
const start = mmap(0n, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
for (let i = 0; i < MAPPINGS; i += 2) mprotect(start + BigInt(i * PAGE), PAGE, PROT_NONE);

/** Milliseconds by which timers came late while `work` ran: the longest, and the whole time that it took. */
async function measure(work: () => Promise<unknown>): Promise<{ longest: number; took: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  await sleep(50);
  delay.enable();
  const begin = performance.now();
  await work();
  const took = performance.now() - begin;
  await sleep(20);
  delay.disable();
  return { longest: delay.max / 1e6 - 1, took };
}

for (let round = 1; round <= ROUNDS; round++) {
  const idle = await measure(() => sleep(500));
  const busy = await measure(() => explain());
  const figures = `${busy.longest.toFixed(1)} ms, in ${busy.took.toFixed(0)} ms (idle: ${idle.longest.toFixed(1)} ms)`;
  console.log(`round ${round}: the event loop was held ${figures}`);
}
munmap(start, length);
