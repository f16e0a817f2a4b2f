/** The part of the lab on malloc about what it keeps: free memory, and an arena for each thread. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { malloc_info, malloc_trim, mallinfo2, parseMallocInfo } from '../libc/mallinfo.js';
import { free } from '../libc/malloc.js';
import { poke } from '../libc/memory.js';
import { type Bench, residentIn } from './bench.js';
import { xmalloc } from './idioms.js';
import type { MapLine } from './report.js';
import { KIB, MIB, pages } from './words.js';

const HEAP = '[heap]';
const BLOCKS = 1000;
const SIZE = 10 * KIB;
const THREADS = 2;

export function retained(bench: Bench): void {
  bench.section('Free is not given back');
  malloc_trim(0);
  const content = new Uint8Array(SIZE).fill(1);
  const blocks: bigint[] = new Array(BLOCKS).fill(0n);
  const taken = bench.step('take', `${BLOCKS} blocks of 10 KiB, written`, () => {
    for (let i = 0; i < BLOCKS; i++) poke((blocks[i] = xmalloc(SIZE)), content);
  });
  const last = blocks.pop() ?? 0n;
  const freed = bench.step('free', 'free() for all but the last', () => blocks.forEach(free));
  const kept = mallinfo2().fordblks;
  bench.say(
    `${pages(residentIn(taken.change, HEAP))} came, ${pages(0 - residentIn(freed.change, HEAP))} went. malloc has ` +
      `${(kept / MIB).toFixed(1)} MiB free (mallinfo2.fordblks), but the heap ends behind the last block: the break ` +
      "can't go down. (What statm counts besides is memprobe's own book of blocks, a byte for each 16.)",
  );
  bench.record({ free: kept });
  const { value, change } = bench.step('trim', 'malloc_trim(0)', () => malloc_trim(0));
  bench.say(`It returned ${value}, and ${pages(-residentIn(change, HEAP))} went, by madvise(MADV_DONTNEED).`);
  bench.record({ returned: value });
  free(last);
  bench.shows(
    'free() gives memory to malloc, not to the kernel: one live block at the end keeps all below it resident, until ' +
      'malloc_trim.',
  );
}

export async function arenas(bench: Bench): Promise<void> {
  bench.section('An arena for each thread');
  const before = countArenas();
  const { value: workers } = await bench.wait('threads', `start ${THREADS} worker threads`, () =>
    startAll(THREADS),
  );
  const after = countArenas();
  const others = bench.focus(isThreadHeap);
  bench.say(
    `malloc had ${before} arenas (malloc_info) and has ${after}. A thread's heap begins at a multiple of 64 MiB, of which ` +
      `most is only reserved (---p). ${others} other mappings came or changed: stacks and V8's heaps.`,
  );
  bench.record({ before, after });
  await Promise.all(workers.map((worker) => worker.terminate()));
  bench.note('ended', 'the threads end');
  const left = countArenas();
  bench.say(`${left} arenas: they stay, with what is free in them, for threads to come.`);
  bench.record({ arenas: left });
  bench.shows(
    'Threads that allocate get arenas of their own (up to 8 for each core), so that they need not wait for each other; ' +
      'what one arena keeps, another cannot use. M_ARENA_MAX sets the limit.',
  );
}

/** The part in use begins at a multiple of 64 MiB, and the reserved part ends at the next. */
function isThreadHeap({ sign, start, end, perms }: MapLine): boolean {
  const aligned = (address: string) => BigInt(`0x${address}`) % BigInt(64 * MIB) === 0n;
  return sign === '+' && (perms === '---p' ? aligned(end) : aligned(start));
}

function startAll(number: number): Promise<Worker[]> {
  return Promise.all(Array.from({ length: number }, start));
}

async function start(): Promise<Worker> {
  const worker = new Worker("require('node:worker_threads').parentPort.on('message', () => {})", {
    eval: true,
  });
  await once(worker, 'online');
  return worker;
}

function countArenas(): number {
  return parseMallocInfo(malloc_info(0)).arenas.length;
}
