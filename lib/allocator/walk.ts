/** Going through the heap block by block: walk, check, mallinfo2. */
import { binOf } from './bins.js';
import { corrupt } from './errors.js';
import type { HeapBlock, HeapInfo } from './interface.js';
import {
  AFTER_FREE,
  ALIGNMENT,
  BIN_COUNT,
  BIN_MAP,
  BIN_SUMMARY,
  BINS,
  BLOCKS,
  CACHED,
  CURSOR,
  END,
  FIRST,
  FLAGS,
  FREE,
  LIST_COUNT,
  LIST_MAP,
  LISTS,
  MAX_UNITS,
  MIN_UNITS,
  PEAK,
  TOP,
  type Words,
} from './layout.js';

const stateOf = (header: number): HeapBlock<number>['state'] =>
  (header & FREE) !== 0 ? 'free' : (header & CACHED) !== 0 ? 'cached' : 'used';

/** Every block, by address. Throws where a header makes no sense. */
export function* walk(words: Words): Generator<HeapBlock<number>> {
  for (let b = FIRST; b < words[TOP]!;) {
    const header = words[2 * b - 1]!;
    const n = lengthAt(words, b);
    yield { ptr: 8 * b, size: 8 * n, state: stateOf(header) };
    b += n;
  }
}

function lengthAt(words: Words, b: number): number {
  const n = words[2 * b - 1]! >>> 3;
  if (n < MIN_UNITS || b + n > words[TOP]!)
    throw corrupt(8 * b, `the header says a length of ${8 * n} bytes`);
  return n;
}

export function info(words: Words): HeapInfo {
  const units = { used: 0, cached: 0, free: 0 };
  const count = { used: 0, cached: 0, free: 0 };
  for (const { size, state } of walk(words)) {
    units[state] += size;
    count[state]++;
  }
  const top = 8 * (words[END]! - words[TOP]!);
  return {
    arena: 8 * words[END]!,
    ordblks: count.free + 1,
    smblks: count.cached,
    hblks: 0,
    hblkhd: 0,
    usmblks: 0,
    fsmblks: units.cached,
    uordblks: 8 * words[END]! - top - units.cached - units.free,
    fordblks: top + units.cached + units.free,
    keepcost: top,
  };
}

/**
 * Proves, from the state to the blocks to the lists, that the heap is whole: lengths lead from FIRST to the top, boundary tags
 * agree, no two free neighbours, every FREE block in its bin and every CACHED one in its list, once, and nothing else there.
 * A flipped bit anywhere but in payload contradicts one of these, or means nothing.
 */
export function check(words: Words): void {
  checkState(words);
  const free = checkBlocks(words);
  checkBins(words, free);
  checkLists(words, free);
  for (const b of free) throw corrupt(8 * b, 'a free block is in no list');
}

function checkState(words: Words): void {
  const [top, peak, end] = [words[TOP]!, words[PEAK]!, words[END]!];
  if (end < FIRST || 2 * end > words.length)
    throw corrupt(4 * END, `the heap ends at unit ${end}, outside the buffer`);
  if (top < FIRST || top > end) throw corrupt(4 * TOP, `the top is at unit ${top}, outside the heap`);
  if (peak < top) throw corrupt(4 * PEAK, `the peak is at unit ${peak}, below the top`);
  const alignment = words[ALIGNMENT]!;
  if (alignment !== 8 && alignment !== 16) throw corrupt(4 * ALIGNMENT, `the alignment is ${alignment}`);
  const cursor = words[CURSOR]!;
  if (cursor < 0 || cursor >= LIST_COUNT) throw corrupt(4 * CURSOR, `the cursor is at list ${cursor}`);
}

/** The blocks in order; returns those that must be in a list. */
function checkBlocks(words: Words): Set<number> {
  const free = new Set<number>();
  const step = words[ALIGNMENT]! >>> 3;
  let count = 0;
  let before = 0; // header of the block in front
  let b = FIRST;
  for (; b < words[TOP]!; b += lengthAt(words, b), count++) {
    const header = words[2 * b - 1]!;
    checkBlock(words, b, header, before);
    if (lengthAt(words, b) % step !== 0) throw corrupt(8 * b, 'the block behind is misaligned');
    if ((header & (FREE | CACHED)) !== 0) free.add(b);
    before = header;
  }
  if (words[2 * b - 1] !== ((before & FREE) !== 0 ? AFTER_FREE : 0))
    throw corrupt(8 * b - 4, 'the header at the top is overwritten');
  if ((before & FREE) !== 0 && before >>> 3 < MAX_UNITS / 2)
    throw corrupt(8 * b, 'a free block is not merged into the top');
  if (count !== words[BLOCKS]) throw corrupt(4 * BLOCKS, `there are ${count} blocks, not ${words[BLOCKS]!}`);
  return free;
}

function checkBlock(words: Words, b: number, header: number, before: number): void {
  const n = lengthAt(words, b);
  const state = header & (FREE | CACHED);
  if (state === FLAGS - AFTER_FREE) throw corrupt(8 * b, 'the header says both free and cached');
  if (((header & AFTER_FREE) !== 0) !== ((before & FREE) !== 0)) {
    throw corrupt(8 * b, 'the header is wrong about the block in front');
  }
  if (state === CACHED && n >= LIST_COUNT) throw corrupt(8 * b, 'the block is too long for the cache');
  if (state !== FREE) return;
  if (words[2 * (b + n) - 2] !== n)
    throw corrupt(8 * b, 'the length at the end of the free block differs from its header');
  if ((before & FREE) !== 0 && n + (before >>> 3) <= MAX_UNITS)
    throw corrupt(8 * b, 'two free neighbours are not merged');
}

/** Every bin holds FREE blocks of its sizes, doubly linked, and the maps say so. Ticks them off. */
function checkBins(words: Words, free: Set<number>): void {
  for (let bin = 0; bin < BIN_COUNT; bin++) {
    let previous = 0;
    for (let b = words[BINS + bin]!; b !== 0; previous = b, b = words[2 * b]!) {
      if (!free.delete(b) || (words[2 * b - 1]! & FREE) === 0)
        throw corrupt(8 * b, `bin ${bin} leads to what is no free block`);
      if (binOf(words[2 * b - 1]! >>> 3) !== bin)
        throw corrupt(8 * b, `the free block is in bin ${bin}, which is not its own`);
      if (words[2 * b + 1] !== previous)
        throw corrupt(8 * b, 'the link back to the previous free block is wrong');
    }
    const marked = (words[BIN_MAP + (bin >>> 5)]! & (1 << bin)) !== 0;
    if (marked !== (words[BINS + bin] !== 0)) throw corrupt(4 * BIN_MAP, `the map is wrong about bin ${bin}`);
  }
  for (let word = 0; word < 32; word++) {
    const marked = (words[BIN_SUMMARY]! & (1 << word)) !== 0;
    if (marked !== (word < BIN_COUNT / 32 && words[BIN_MAP + word] !== 0)) {
      throw corrupt(4 * BIN_SUMMARY, `the summary is wrong about word ${word} of the map`);
    }
  }
}

/** Every list holds CACHED blocks of its size; the map may say too much, never too little. Ticks them off. */
function checkLists(words: Words, free: Set<number>): void {
  for (let list = 0; list < LIST_COUNT; list++) {
    for (let b = words[LISTS + list]!; b !== 0; b = words[2 * b]!) {
      const header = words[2 * b - 1]!;
      if (!free.delete(b) || (header & CACHED) === 0)
        throw corrupt(8 * b, `list ${list} leads to what is no cached block`);
      if (header >>> 3 !== list)
        throw corrupt(8 * b, `the cached block is in list ${list}, which is not its own`);
    }
    if (words[LISTS + list] !== 0 && (words[LIST_MAP + (list >>> 5)]! & (1 << list)) === 0) {
      throw corrupt(4 * LIST_MAP, `the map is wrong about list ${list}`);
    }
  }
}
