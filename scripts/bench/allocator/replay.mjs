// The counterpart of replay.c in JavaScript: node replay.mjs <stream> <contender>. One process for each, so that V8 sees one
// allocator only. "worst" instead of a number of rounds prints the longest single operations, in nanoseconds.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { contenders } from './contenders.mjs';

const [, , stream, name] = process.argv;
const file = readFileSync(stream);
const ops = new Int32Array(file.buffer.slice(file.byteOffset, file.byteOffset + file.length));
const { heap, wide = false } = await contenders[name]();
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

function replay() {
  for (let i = 0; i < ops.length; i += 2) step(i);
}

/** Microseconds of CPU time of this process, compiler threads and all. */
function cpu() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Counts of single operations by their time, in powers of two of microseconds: [<1, <2, <4, …]. */
function histogram() {
  const counts = new Array(16).fill(0);
  for (let i = 0; i < ops.length; i += 2) {
    const start = process.hrtime.bigint();
    step(i);
    const micros = Number(process.hrtime.bigint() - start) / 1000;
    counts[Math.min(15, Math.max(0, Math.ceil(Math.log2(micros))))]++;
  }
  return counts;
}

replay();
console.log(heap.peak ?? 0);
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'histogram') return console.log(JSON.stringify(histogram()));
  const start = cpu();
  for (let i = 0; i < Number(line); i++) replay();
  console.log((cpu() - start) * 1000);
});
