// The counterpart of replay.c in JavaScript: node replay.mjs <stream> <contender>. One process for each, so that V8 sees one
// allocator only. "histogram" instead of a number of rounds times single operations.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { contenders } from './contenders.mjs';

const [, , stream, name] = process.argv;
const file = readFileSync(stream);
const ops = new Int32Array(file.buffer.slice(file.byteOffset, file.byteOffset + file.length));
const { heap, end, wide = false } = await contenders[name]();
const slots = wide ? new Array(1 << 20).fill(0) : new Int32Array(1 << 20);

// Over constants, as programs have theirs: V8 then knows where they are, as the C compiler does.
function step(i) {
  const slot = ops[i];
  const size = ops[i + 1];
  if (size < 0) slots[slot] = heap.realloc(slots[slot], -size);
  else {
    const ptr = slots[slot];
    if (ptr !== 0) heap.free(ptr);
    slots[slot] = size === 0 ? 0 : heap.malloc(size);
  }
}

// One loop, as the C program's is when it is compiled: a step called from it isn't always inlined.
function replay() {
  for (let i = 0; i < ops.length; i += 2) {
    const slot = ops[i];
    const size = ops[i + 1];
    if (size < 0) slots[slot] = heap.realloc(slots[slot], -size);
    else {
      const ptr = slots[slot];
      if (ptr !== 0) heap.free(ptr);
      slots[slot] = size === 0 ? 0 : heap.malloc(size);
    }
  }
}

/** The first replay; the highest byte used. */
function peak() {
  let highest = 0;
  for (let i = 0; i < ops.length; i += 2) {
    step(i);
    const ptr = slots[ops[i]];
    if (end !== undefined && ptr !== 0) highest = Math.max(highest, end(ptr, Math.abs(ops[i + 1])));
  }
  return heap.peak ?? highest;
}

/** Microseconds of CPU time of this process, compiler threads and all. */
function cpu() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/**
 * Counts of single operations by their time, in powers of two of microseconds: [<1, <2, <4, …], and the worst. Each one's least of ten replays
 * on a fresh heap, where it does the same each time: what the machine does meanwhile isn't its own.
 */
async function histogram() {
  const least = new Float64Array(ops.length / 2).fill(Infinity);
  for (let run = 0; run < 10; run++) {
    const { heap } = await contenders[name]();
    slots.fill(0);
    for (let i = 0; i < ops.length; i += 2) {
      const slot = ops[i];
      const size = ops[i + 1];
      const start = performance.now();
      if (slots[slot] !== 0) heap.free(slots[slot]);
      slots[slot] = size === 0 ? 0 : heap.malloc(size);
      const ms = performance.now() - start;
      if (ms < least[i / 2]) least[i / 2] = ms;
    }
  }
  const counts = [];
  let worst = 0;
  for (const ms of least) {
    const power = Math.max(0, Math.ceil(Math.log2(ms * 1000)));
    counts[power] = (counts[power] ?? 0) + 1;
    worst = Math.max(worst, ms * 1000);
  }
  return { worst, counts: Array.from(counts, (count) => count ?? 0) };
}

console.log('ready');
console.log(peak());
createInterface({ input: process.stdin }).on('line', async (line) => {
  if (line === 'histogram') return console.log(JSON.stringify(await histogram()));
  const start = cpu();
  for (let i = 0; i < Number(line); i++) replay();
  console.log((cpu() - start) * 1000);
});
