/** The process that is killed: random operations on a heap, each announced and acknowledged in a journal. */
import { openSync, writeSync } from 'node:fs';
import type { Heap } from '../../lib/heap/index.js';
import { random } from '../allocator/model.js';
import { stopAfter, watchStores } from './stepping.js';
import { encodeRecord, fillWith, type JournalRecord, Op, tagFor } from './torture_journal.js';

const [, , entry = '', path = '', journalPath = '', seed = '1', stores = ''] = process.argv;
const next = random(Number(seed));
const journal = openSync(journalPath, 'a');
const die = (): never => {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('still alive');
};

if (stores !== '') watchStores();
// Imported now: the heap's views are to be watched.
const { Heap: Class }: typeof import('../../lib/heap/index.js') = await import(entry);
if (stores !== '') stopAfter(Number(stores), die); // attaching and repairing count too
const heap: Heap = Class.attach(path);

const roots = new Map(heap.roots.list().map(({ name, ptr }) => [Number(name), ptr]));
const nodes = new Set(heap.roots.nodes());
const blocks = [...heap.walk()]
  .filter(({ ptr, state }) => state === 'used' && !nodes.has(ptr))
  .map(({ ptr }) => ptr);
const MOST = 600;

/** Announced, done, acknowledged. Content is written before the acknowledgement, as a program would. */
function perform(record: JournalRecord, work: () => number): number {
  writeSync(journal, encodeRecord(false, record));
  const result = work();
  writeSync(journal, encodeRecord(true, { ...record, result }));
  return result;
}

const size = (): number => 4 + next(next(9) === 0 ? 30_000 : next(3) === 0 ? 2_000 : 120);
const pick = (): number => blocks[next(blocks.length)] ?? 0;
const isRooted = (ptr: number): boolean => [...roots.values()].includes(ptr);

function malloc(): void {
  const length = size();
  const tag = tagFor(length, next(60_000));
  const ptr = perform({ op: Op.malloc, ptr: 0, result: 0, root: 0, tag }, () => {
    const made = heap.malloc(length);
    if (made !== 0) fillWith(heap.view(made, length), tag);
    return made;
  });
  if (ptr !== 0) blocks.push(ptr);
}

function realloc(ptr: number): void {
  const length = size();
  const tag = tagFor(length, next(60_000));
  const moved = perform({ op: Op.realloc, ptr, result: 0, root: 0, tag }, () => {
    const made = heap.realloc(ptr, length);
    if (made !== 0) fillWith(heap.view(made, length), tag);
    return made;
  });
  if (moved !== 0) blocks[blocks.indexOf(ptr)] = moved;
}

function free(ptr: number): void {
  perform({ op: Op.free, ptr, result: 0, root: 0, tag: 0 }, () => (heap.free(ptr), 0));
  blocks.splice(blocks.indexOf(ptr), 1);
}

function root(ptr: number): void {
  const name = next(12);
  const known = roots.get(name);
  if (known !== undefined && next(3) === 0) {
    perform({ op: Op.unset, ptr: known, result: 0, root: name, tag: 0 }, () =>
      Number(heap.roots.delete(String(name))),
    );
    roots.delete(name);
  } else if (ptr !== 0) {
    perform({ op: Op.set, ptr, result: 0, root: name, tag: 0 }, () => (heap.roots.set(String(name), ptr), 0));
    roots.set(name, ptr);
  }
}

process.stdout.write('ready\n');
for (;;) {
  const roll = next(10);
  const ptr = pick();
  if (roll === 0) root(ptr);
  else if (ptr === 0 || isRooted(ptr) || (roll < 5 && blocks.length < MOST)) malloc();
  else if (roll < 7) realloc(ptr);
  else free(ptr);
  if (blocks.length > MOST * 1.2) free(blocks.find((each) => !isRooted(each)) ?? 0);
}
