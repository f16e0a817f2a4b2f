/**
 * npm run example:index: a hash table of a million words in a heap file. The first run makes it; each later process has it back as soon
 * as the file is attached, without reading it.
 */
import { Heap } from '../../lib/heap/index.js';
import { Index } from './table.js';

const ENTRIES = 1_000_000;
const [path = 'build/example-index.heap'] = process.argv.slice(2);

const key = (i: number): string => `word ${i}`;

/** Milliseconds that `work` took. */
function timed<T>(work: () => T): [T, number] {
  const start = performance.now();
  const result = work();
  return [result, performance.now() - start];
}

function make(): void {
  using heap = Heap.create(path, { limit: 2 ** 30, name: 'example index' });
  const index = Index.create(heap, 2 * ENTRIES);
  const [, took] = timed(() => {
    for (let i = 0; i < ENTRIES; i++) index.set(key(i), i);
  });
  console.log(`made: ${ENTRIES} entries in ${took.toFixed(0)} ms, in ${path}`);
}

function use(): void {
  const [heap, attached] = timed(() => Heap.attach(path));
  const index = Index.attach(heap);
  console.log(`attached in ${attached.toFixed(1)} ms: ${index.size} entries`);
  const keys = Array.from({ length: ENTRIES }, (_, i) => key((i * 7919) % ENTRIES));
  const [sum, took] = timed(() => keys.reduce((all, each) => all + (index.get(each) ?? Number.NaN), 0));
  const right = sum === (ENTRIES * (ENTRIES - 1)) / 2;
  console.log(
    `${ENTRIES} gets in ${took.toFixed(0)} ms, ${(ENTRIES / took / 1000).toFixed(2)} million a second; ${right ? 'all right' : 'WRONG'}`,
  );
  heap.close();
  if (!right) process.exitCode = 1;
}

try {
  use();
} catch (error) {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  make();
  console.log('Run it again: the next process has it back at once.');
}
