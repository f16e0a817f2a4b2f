/**
 * npx tsx scripts/bench/heap.ts: what a heap in a file costs beside the same allocator in memory, and written through; attaching,
 * repairing after a crash, ten million blocks. Ratios are of process CPU time, in alternation, the median of several.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const HEAP = new URL('../../dist/heap/index.js', import.meta.url).href;
const ALLOCATOR = new URL('../../dist/allocator/index.js', import.meta.url).href;
const directory = mkdtempSync(join(tmpdir(), 'memprobe-bench-'));
const path = join(directory, 'heap');

const PRELUDE = `
  import { Heap } from ${JSON.stringify(HEAP)};
  import { TsAllocator } from ${JSON.stringify(ALLOCATOR)};
  import { rmSync, statSync } from 'node:fs';
  const path = ${JSON.stringify(path)};
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  let x = 1;
  const random = (below) => { x ^= x << 13; x ^= x >>> 17; x ^= x << 5; return (x >>> 0) % below; };
  const cpu = (work) => { const start = process.cpuUsage(); work(); const { user, system } = process.cpuUsage(start); return user + system; };`;

/** In a process of its own, so that each meets a JIT that knows nothing. */
function program(text: string): string {
  return execFileSync(process.execPath, ['--input-type=module', '-e', PRELUDE + text], {
    encoding: 'utf8',
  }).trim();
}

const WORKLOADS: Readonly<Record<string, string>> = {
  'malloc+free of 64 bytes': '(heap) => { for (let i = 0; i < 1e6; i++) heap.free(heap.malloc(64)); }',
  'LIFO, 100 deep': `(heap) => { const stack = new Float64Array(100);
    for (let i = 0; i < 1e4; i++) { for (let j = 0; j < 100; j++) stack[j] = heap.malloc(64); for (let j = 99; j >= 0; j--) heap.free(stack[j]); } }`,
  'random, 10k live': `(heap) => { const live = new Float64Array(1e4);
    for (let i = 0; i < 1e6; i++) { const j = random(1e4); if (live[j] !== 0) heap.free(live[j]); live[j] = heap.malloc(16 + random(500)); }
    for (const ptr of live) if (ptr !== 0) heap.free(ptr); }`,
  '500k live': `(heap) => { const live = new Float64Array(5e5);
    for (let i = 0; i < 1e6; i++) { const j = random(5e5); if (live[j] !== 0) heap.free(live[j]); live[j] = heap.malloc(16 + random(200)); }
    for (const ptr of live) if (ptr !== 0) heap.free(ptr); }`,
};

function ratio(name: string, work: string): void {
  const output = program(`
    const work = ${work};
    rmSync(path, { force: true });
    const heaps = [new TsAllocator({ limit: 2 ** 30 }), Heap.create(path, { limit: 2 ** 30 })];
    const times = [[], []];
    for (let round = 0; round < 9; round++) for (const which of [0, 1]) { x = 7; times[which].push(cpu(() => work(heaps[which]))); }
    const [memory, file] = times.map((each) => median(each.slice(2)));
    console.log(JSON.stringify([memory / 1e3, file / 1e3]));`);
  const [memory, file]: number[] = JSON.parse(output);
  if (memory === undefined || file === undefined) throw new Error(output);
  console.log(
    `${name.padEnd(28)} in memory ${memory.toFixed(0).padStart(5)} ms, in a file ${file.toFixed(0).padStart(5)} ms for a million: ${(file / memory).toFixed(2)}`,
  );
}

const ATTACH = `
  const times = [];
  for (let i = 0; i < 5; i++) { const start = performance.now(); const heap = Heap.attach(path); times.push(performance.now() - start); heap.close(); }
  console.log(JSON.stringify(times));`;

/** A heap of `bytes` in blocks of `size`, closed well or killed; then attached. */
function opening(bytes: number, size: number): void {
  const fill = (end: string): string => `
    rmSync(path, { force: true });
    const heap = Heap.create(path, { limit: ${bytes} + 2 ** 22 });
    for (let i = 0; i < ${Math.floor(bytes / (size + 8))}; i++) heap.malloc(${size});
    heap.roots.set('it', heap.malloc(8));
    const stats = heap.stats();
    process.stdout.write(String(stats.usedBlocks));
    ${end}`;
  const blocks = program(fill('heap.close();'));
  const [first = 0, ...more]: number[] = JSON.parse(program(ATTACH));
  console.log(
    `attach of ${(bytes / 2 ** 30).toFixed(2)} GiB, ${blocks} blocks, closed well: first ${first.toFixed(1)} ms, then ${more.map((each) => each.toFixed(1)).join(' ')} ms`,
  );
  program(fill('').trim());
  const [repair = 0]: number[] = JSON.parse(program(ATTACH));
  console.log(`  and after a crash: ${repair.toFixed(0)} ms`);
}

/** Microseconds an operation, and in `sync` mode: that waits for this disk. */
function writingThrough(): void {
  const output = program(`
    const result = {};
    for (const sync of [false, true]) {
      rmSync(path, { force: true });
      const heap = Heap.create(path, { sync });
      const turns = sync ? 100 : 1e5;
      const each = (name, work) => {
        const start = performance.now();
        for (let i = 0; i < turns; i++) work(i);
        (result[name] ??= []).push(((performance.now() - start) / turns) * 1e3);
      };
      const pointers = [];
      each('malloc', () => pointers.push(heap.malloc(64)));
      each('roots.set', (i) => heap.roots.set('it', pointers[i]));
      each('realloc, moved', (i) => (pointers[i] = heap.realloc(pointers[i], 200)));
      each('free', (i) => heap.free(pointers[i]));
      heap.close();
    }
    console.log(JSON.stringify(result));`);
  const result: Record<string, [number, number]> = JSON.parse(output);
  for (const [name, [plain, through]] of Object.entries(result))
    console.log(`${name.padEnd(28)} ${plain.toFixed(2)} µs, written through ${through.toFixed(0)} µs`);
}

/** Ten million live blocks: made, every third replaced, proven whole. */
function manyBlocks(): void {
  const output = program(`
    rmSync(path, { force: true });
    const heap = Heap.create(path, { limit: 2 ** 30 });
    const times = {};
    const timed = (name, work) => { const start = performance.now(); work(); times[name] = Math.round(performance.now() - start); };
    const pointers = new Float64Array(1e7);
    timed('malloc', () => { for (let i = 0; i < 1e7; i++) pointers[i] = heap.malloc(8 + (i % 5) * 8); });
    timed('replace a third', () => { for (let i = 0; i < 1e7; i += 3) { heap.free(pointers[i]); pointers[i] = heap.malloc(16); } });
    timed('check', () => heap.check());
    const { usedBlocks, usedBytes } = heap.stats();
    console.log(JSON.stringify({ usedBlocks, MiB: Math.round(usedBytes / 2 ** 20), ...times }));
    heap.close();`);
  console.log(`ten million blocks, ms: ${output}`);
  const [first = 0]: number[] = JSON.parse(program(ATTACH));
  console.log(`  attached in ${first.toFixed(1)} ms`);
}

try {
  for (const [name, work] of Object.entries(WORKLOADS)) ratio(name, work);
  opening(2 ** 26, 64);
  opening(2 ** 30, 1000);
  opening(2 ** 30, 100);
  manyBlocks();
  writingThrough();
} finally {
  rmSync(directory, { recursive: true });
}
