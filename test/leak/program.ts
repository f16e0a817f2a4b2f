/** program.ts ROUNDS RSS MALLOC: each case so often; says how memory grew, in bytes: [name, rss, malloc]. */
import { readFileSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { malloc_trim, mallinfo2 } from '../../lib/libc/index.js';
import { type Case, cases, once, roundsOf } from './cases.js';

const [rounds = 0, mostRss = 0, mostMalloc = 0] = process.argv.slice(2).map(Number);
/** Growth that does not come again is V8's or malloc's own. */
const TRIES = 5;
const BATCH = 500;
const GROUP = 16;

const rss = (): number => Number(readFileSync('/proc/self/statm', 'latin1').split(' ')[1]) * 4096;

const inUse = (): number => {
  const { uordblks, hblkhd } = mallinfo2();
  return uordblks + hblkhd;
};

interface Memory {
  readonly rss: number;
  readonly malloc: number;
}

/** Once collecting and finalizing gives nothing back any more. What malloc retains of free memory is nobody's leak. */
async function settled(): Promise<Memory> {
  let now: Memory = { rss: Infinity, malloc: Infinity };
  for (let i = 0, last = now; i < 2 || (i < 20 && (now.malloc < last.malloc || now.rss < last.rss)); i++) {
    last = now;
    globalThis.gc?.();
    await setTimeout(1); // finalizers run between the turns
    malloc_trim(0);
    now = { rss: rss(), malloc: inUse() };
  }
  return now;
}

async function repeat(run: Case, times: number): Promise<void> {
  for (let done = 0; done < times; done += BATCH) {
    const waiting: unknown[] = [];
    for (let i = done; i < Math.min(times, done + BATCH); i++) {
      const promise = once(run);
      if (promise !== undefined) waiting.push(promise);
    }
    await Promise.all(waiting);
    if (done % (20 * BATCH) === 0) globalThis.gc?.();
    await setImmediate();
  }
}

type Named = readonly [name: string, run: Case];

/** Of these one after the other: [rss, malloc]. */
async function growth(group: readonly Named[], tries: number): Promise<[number, number]> {
  const all = async (times: number): Promise<void> => {
    for (const [name, run] of group) await repeat(run, roundsOf(name, times));
  };
  await all(Math.min(rounds, 2000));
  let least: [number, number] = [Infinity, Infinity];
  for (let time = 0; time < tries && (least[0] > mostRss || least[1] > mostMalloc); time++) {
    const before = await settled();
    await all(rounds);
    const after = await settled();
    least = [Math.min(least[0], after.rss - before.rss), Math.min(least[1], after.malloc - before.malloc)];
  }
  return least;
}

/** Together they grow by what each does; only of a group that does are the cases looked at one by one. */
async function examine(group: readonly Named[]): Promise<void> {
  const [rss, malloc] = await growth(group, 2);
  const flat = rss <= mostRss && malloc <= mostMalloc;
  for (const each of group) {
    console.log(JSON.stringify([each[0], ...(flat ? [rss, malloc] : await growth([each], TRIES))]));
  }
}

const only = new RegExp(process.env.MEMPROBE_LEAK_CASES ?? '');
const every = [...cases].filter(([name]) => only.test(name));
for (let i = 0; i < every.length; i += GROUP) await examine(every.slice(i, i + GROUP));
